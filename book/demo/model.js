// From a picture file to classes: the same arithmetic as study/preprocessing.py and study/benchmark.py, in float32.
const WARM_UP = 5, RUNS = 20, LARGEST_PX = 1024;
const f32 = Math.fround;

// Weights [[source, weight], ...] of each target pixel along one axis: bilinear, half-pixel centres, edges repeated.
const bilinear = (source, target) => Array.from({ length: target }, (_, i) => {
  const centre = Math.min(Math.max(((i + 0.5) * source) / target - 0.5, 0), source - 1), low = Math.floor(centre);
  return [[low, f32(1 - (centre - low))], [low + 1, f32(centre - low)]].filter(([, weight]) => weight > 0);
});

// The same for making a picture smaller: the mean over the area that a target pixel covers.
const area = (source, target) => Array.from({ length: target }, (_, i) => {
  const [start, end] = [(i * source) / target, ((i + 1) * source) / target], weights = [];
  for (let k = Math.floor(start); k < end; k++) {
    const part = Math.min(k + 1, end) - Math.max(k, start);
    if (part > 0) weights.push([k, (part * target) / source]);
  }
  return weights;
});

// Square RGB pixels (size, size, 3) through the same weights along both axes; `round` to float32 at each step or not at all.
function resample(pixels, size, weights, round) {
  const target = weights.length, rows = new Float64Array(target * size * 3), out = new Float64Array(target * target * 3);
  for (let y = 0; y < target; y++) {
    for (let x = 0; x < 3 * size; x++) {
      rows[y * size * 3 + x] = weights[y].reduce((sum, [k, weight]) => round(sum + round(weight * pixels[k * size * 3 + x])), 0);
    }
  }
  for (let y = 0; y < target; y++) {
    for (let x = 0; x < target; x++) {
      for (let c = 0; c < 3; c++) {
        out[(y * target + x) * 3 + c] = weights[x].reduce((sum, [k, weight]) => round(sum + round(weight * rows[(y * size + k) * 3 + c])), 0);
      }
    }
  }
  return out;
}

// The middle square of a picture file as RGB bytes (source_px, source_px, 3).
async function see(file, source_px) {
  const picture = await createImageBitmap(file).catch(() => {
    throw new Error(`${file.name ?? "the file"} is no picture that this browser can read.`);
  });
  const side = Math.min(picture.width, picture.height), size = Math.min(side, LARGEST_PX);
  const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white"; // behind what is transparent
  context.fillRect(0, 0, size, size);
  context.drawImage(picture, (picture.width - side) >> 1, (picture.height - side) >> 1, side, side, 0, 0, size, size);
  const { data } = context.getImageData(0, 0, size, size);
  const pixels = Uint8Array.from({ length: size * size * 3 }, (_, k) => data[Math.floor(k / 3) * 4 + (k % 3)]);
  if (size === source_px) return pixels;
  const weights = (size > source_px ? area : bilinear)(size, source_px);
  return Uint8Array.from(resample(pixels, size, weights, (value) => value), Math.round);
}

const even = (value) => { // NumPy rounds a half to the even neighbour
  const up = Math.round(value);
  return up - value === 0.5 && up % 2 ? up - 1 : up;
};

function toInput(pixels, { source_px, resolution, input }) {
  const scaled = Float32Array.from(resample(pixels, source_px, bilinear(source_px, resolution), f32), (v) => f32(f32(v / 127.5) - 1));
  if (input.dtype === "float32") return scaled;
  const [least, most, Type] = input.dtype === "int8" ? [-128, 127, Int8Array] : [0, 255, Uint8Array];
  const scale = f32(input.scale);
  return Type.from(scaled, (x) => Math.min(Math.max(even(f32(x / scale)) + input.zero_point, least), most));
}

export async function open(base) {
  const fetched = async (name) => {
    const answer = await fetch(new URL(name, base));
    if (!answer.ok) throw new Error(`${name} cannot be loaded (${answer.status}): was the book built by make book DEMO=1?`);
    return answer;
  };
  const job = await (await fetched("job.json")).json();
  // LiteRT.js lists float32, int32 and uint8 only; the engine below it knows int8 (element type 9). Add it before the freeze.
  const freeze = Object.freeze;
  Object.freeze = (list) => {
    if (Array.isArray(list) && list.some((type) => type?.dtype === "uint8")) {
      list.push({ dtype: "int8", typedArrayConstructor: Int8Array, elementType: 9 });
    }
    return freeze(list);
  };
  const { loadLiteRt, loadAndCompile, Tensor } = await import(new URL("litert/index.js", base)).finally(() => { Object.freeze = freeze; });
  await loadLiteRt(new URL("litert/wasm/", base).href);
  const compiled = await loadAndCompile(new Uint8Array(await (await fetched(job.model)).arrayBuffer()), { accelerator: "wasm" });

  const run = async (input) => {
    const tensor = new Tensor(input, [1, job.resolution, job.resolution, 3]);
    const [output] = await compiled.run(tensor);
    const values = Array.from(await output.data());
    tensor.delete();
    output.delete();
    return values;
  };

  return {
    job,
    see: (file) => see(file, job.source_px),
    async classify(pixels) {
      const logits = await run(toInput(pixels, job));
      const real = logits.map((q) => (job.output.scale ? job.output.scale * (q - job.output.zero_point) : q));
      const powers = real.map((value) => Math.exp(value - Math.max(...real)));
      const sum = powers.reduce((a, b) => a + b);
      const all = job.classes.map((name, k) => ({ name, share: powers[k] / sum }));
      return { logits, top: all.sort((a, b) => b.share - a.share).slice(0, 3) };
    },
    async measure(pixels) {
      const input = toInput(pixels, job), times = [];
      for (let k = -WARM_UP; k < RUNS; k++) {
        const start = performance.now();
        await run(input);
        if (k >= 0) times.push(performance.now() - start);
      }
      times.sort((a, b) => a - b);
      const at = (share) => { // linear between the neighbours, as NumPy's percentile
        const place = share * (RUNS - 1), low = Math.floor(place);
        return times[low] + (place - low) * ((times[low + 1] ?? times[low]) - times[low]);
      };
      return { median: at(0.5), low: at(0.1), high: at(0.9), runs: RUNS, warm_up: WARM_UP };
    },
  };
}
