// The page's own part: takes a picture, shows what comes back. The model and its runtime are loaded with the first picture.
(() => {
  const at = (name) => document.getElementById(`hw-demo-${name}`);
  const here = document.currentScript.src;
  const say = (text) => { at("status").textContent = text; };
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  let loading, asked = 0;

  // Modules and WebAssembly are refused to pages that were opened from disk.
  if (location.protocol === "file:") {
    at("file").disabled = true;
    say("This page was opened from disk, where browsers run no model. Start `make serve DEMO=1` and open the address that it prints.");
    return;
  }
  say("Nothing is loaded yet: the first picture fetches the model and its runtime, about 12 MB.");

  async function classify(file) {
    const own = ++asked; // a later picture overtakes an earlier one
    try {
      say("Loading the model ...");
      loading ??= import(new URL("model.js", here)).then((module) => module.open(new URL(".", here)));
      const model = await loading;
      const pixels = await model.see(file);
      if (own !== asked) return;
      const found = await model.classify(pixels);
      show(pixels, model.job, found);
      say(`${found.top.map(({ name, share }) => `${name} ${percent(share)}`).join(", ")}. Measuring the time ...`);
      const time = await model.measure(pixels);
      if (own !== asked) return;
      say(`${found.top.map(({ name, share }) => `${name} ${percent(share)}`).join(", ")}.`);
      tell(time, model.job);
      window.hwDemo = { pixels, ...found, time }; // for a curious reader's console, and for the tests
    } catch (error) {
      if (own === asked) say(`That did not work: ${error.message ?? error}`);
    }
  }

  function show(pixels, job, { top }) {
    const canvas = at("seen");
    canvas.width = canvas.height = job.source_px;
    const image = new ImageData(job.source_px, job.source_px);
    for (let k = 0; k < pixels.length / 3; k++) image.data.set([...pixels.subarray(3 * k, 3 * k + 3), 255], 4 * k);
    canvas.getContext("2d").putImageData(image, 0, 0);
    at("top").replaceChildren(...top.map(({ name, share }) => {
      const [row, label, bar, number] = ["li", "span", "meter", "span"].map((tag) => document.createElement(tag));
      label.textContent = name;
      bar.value = share;
      bar.setAttribute("aria-label", `share of ${name}`);
      number.textContent = percent(share);
      row.append(label, bar, number);
      return row;
    }));
    at("result").hidden = false;
  }

  function tell({ median, low, high, runs, warm_up }, job) {
    const mark = document.createElement("span");
    mark.className = "hw-evidence hw-measured";
    mark.textContent = "measured";
    const ms = (value) => value.toPrecision(3);
    at("latency").replaceChildren(
      `${job.variant}: ${ms(median)} ms an inference in this browser, `, mark,
      ` (median of ${runs} runs after ${warm_up} to warm up; 10th to 90th percentile ${ms(low)} to ${ms(high)} ms).`,
    );
  }

  at("file").addEventListener("change", ({ target }) => target.files[0] && classify(target.files[0]));
  const drop = document.querySelector(".hw-drop");
  for (const [event, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    drop.addEventListener(event, (dropped) => {
      dropped.preventDefault();
      drop.classList.toggle("hw-over", over);
      if (event === "drop" && dropped.dataTransfer.files[0]) classify(dropped.dataTransfer.files[0]);
    });
  }
})();
