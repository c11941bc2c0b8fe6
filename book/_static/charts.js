// Brings the book's charts to life: each .hw-chart holds its Vega-Lite JSON and a still SVG, which stays if anything fails.
// Colours are currentColor, so light, dark and print need no redrawing; only a narrower page does.
(() => {
  const GAP = 2; // px that rounding may cost

  // Take `less` px off the plot width; axes and legends keep their size, so that text stays readable on a phone.
  function narrow(spec, less) {
    const view = spec.config?.view ?? {};
    for (const key of ["continuousWidth", "discreteWidth"]) view[key] = Math.max(120, (view[key] ?? 300) - less);
    spec.config = { ...spec.config, view };
  }

  async function draw(box) {
    const spec = JSON.parse(box.querySelector("script").textContent);
    const still = Number(box.dataset.width ||= box.querySelector(".hw-still svg").getAttribute("width"));
    const room = box.clientWidth || still; // 0 inside a closed <details>
    if (room < still) narrow(spec, still - room + GAP);
    const live = document.createElement("div");
    live.className = "hw-live";
    const { view } = await vegaEmbed(live, spec, {
      mode: "vega-lite",
      renderer: "svg",
      actions: { export: true, source: false, compiled: false, editor: false }, // the editor is on the network
      downloadFileName: box.closest("figure")?.id || "chart",
    });
    const svg = live.querySelector("svg.marks");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", spec.description || "chart");
    box._view?.finalize();
    box._view = view;
    box._room = room;
    box.querySelectorAll(".hw-still, .hw-live").forEach((old) => old.remove());
    box.prepend(live);
    box.dataset.live = "true";
  }

  function drawAll() {
    for (const box of document.querySelectorAll(".hw-chart")) {
      if (box._room !== (box.clientWidth || box._room)) draw(box).catch(console.error);
    }
  }

  let waiting;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(drawAll, 200);
  });
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", drawAll);
  else drawAll();
})();
