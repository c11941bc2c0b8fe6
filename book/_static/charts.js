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

  // A slider counts steps. What its step means, the signal <name>_told says: shown beside it, and read aloud.
  function label(live, view, spec) {
    for (const input of live.querySelectorAll("input[type=range]")) {
      const told = `${input.name}_told`;
      if (!spec.params.some((param) => param.name === told)) continue;
      const tell = () => {
        input.nextSibling.textContent = view.signal(told);
        input.setAttribute("aria-valuetext", view.signal(told));
      };
      // Vega itself writes the step's number there, now or once its signals have settled
      for (const name of [input.name, told]) view.addSignalListener(name, () => queueMicrotask(tell));
      for (const event of ["input", "change"]) input.addEventListener(event, tell);
      tell();
    }
  }

  // What a chart answers in letters (its marks `answer` and `reason`) is announced once its lists and sliders rest.
  function announce(live, view, inputs) {
    if (!live.querySelector(".answer_marks")) return;
    const status = live.appendChild(document.createElement("p"));
    status.className = "hw-said";
    status.setAttribute("role", "status");
    const lines = (mark) => [...mark.querySelectorAll("text")].map((text) => [...(text.children.length ? text.children : [text])]);
    let resting;
    const say = () => {
      const marks = [...live.querySelectorAll(".answer_marks, .reason_marks")];
      status.textContent = marks.flatMap(lines).flat().map((line) => line.textContent).join(", ");
    };
    for (const { name } of inputs) {
      view.addSignalListener(name, () => {
        clearTimeout(resting);
        resting = setTimeout(say, 400);
      });
    }
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
      ast: true, // expressions are read, not compiled: the page's policy allows no eval
      actions: { export: true, source: false, compiled: false, editor: false }, // the editor is on the network
      downloadFileName: box.closest("figure")?.id || "chart",
    });
    const svg = live.querySelector("svg.marks");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", spec.description || "chart");
    for (const mark of svg.querySelectorAll('[role="graphics-symbol"]:not([aria-label])')) { // Vega names most marks, not all
      for (const name of ["role", "aria-roledescription"]) mark.removeAttribute(name);
    }
    live.querySelector("summary")?.setAttribute("aria-label", "Save this chart");
    const inputs = (spec.params ?? []).filter((param) => param.bind?.input);
    label(live, view, spec);
    announce(live, view, inputs);
    if (box._view) { // redrawn for another width: what was set stays set
      for (const { name } of inputs) view.signal(name, box._view.signal(name));
      await view.runAsync();
    }
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
