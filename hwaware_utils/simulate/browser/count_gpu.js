// Counts what a page asks of WebGPU, by wrapping the methods that it calls. Loaded before the engine.
// window.gpuCounts: the running totals; window.gpuErrors: what the device complained about.
window.gpuCounts = {dispatches: 0, shaders: 0, pipelines: 0, uploaded_bytes: 0};
window.gpuErrors = [];

const wrap = (type, method, before) => {
  const original = type?.prototype[method];
  if (!original) return;
  type.prototype[method] = function (...given) {
    before.apply(this, given);
    return original.apply(this, given);
  };
};

const bytesWritten = (data, start, length) => {
  const elementBytes = data.BYTES_PER_ELEMENT ?? 1; // start and length count elements of a typed array
  return length === undefined ? data.byteLength - (start ?? 0) * elementBytes : length * elementBytes;
};

wrap(globalThis.GPUComputePassEncoder, 'dispatchWorkgroups', () => gpuCounts.dispatches++);
wrap(globalThis.GPUComputePassEncoder, 'dispatchWorkgroupsIndirect', () => gpuCounts.dispatches++);
wrap(globalThis.GPUDevice, 'createShaderModule', () => gpuCounts.shaders++);
wrap(globalThis.GPUDevice, 'createComputePipeline', () => gpuCounts.pipelines++);
wrap(globalThis.GPUDevice, 'createComputePipelineAsync', () => gpuCounts.pipelines++);
wrap(globalThis.GPUQueue, 'writeBuffer', (buffer, offset, data, start, length) => {
  gpuCounts.uploaded_bytes += bytesWritten(data, start, length);
});
wrap(globalThis.GPUQueue, 'writeTexture', (texture, data) => { gpuCounts.uploaded_bytes += data.byteLength; });
wrap(globalThis.GPUDevice, 'createBuffer', ({size, mappedAtCreation}) => {
  if (mappedAtCreation) gpuCounts.uploaded_bytes += size;
});

const requestDevice = globalThis.GPUAdapter?.prototype.requestDevice;
if (requestDevice) {
  GPUAdapter.prototype.requestDevice = async function (...given) {
    const device = await requestDevice.apply(this, given);
    device.addEventListener('uncapturederror', event => gpuErrors.push(event.error.message));
    return device;
  };
}
