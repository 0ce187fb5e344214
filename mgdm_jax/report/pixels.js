/* What the page knows of its images, and their pixels. */
const data = JSON.parse(byId("viewer-data").textContent);
const images = data.pictures.filter((picture) => !picture.map);
const maps = data.pictures.filter((picture) => picture.map);
const pictureOf = (key) => data.pictures.find((picture) => picture.key === key);

const indexOfColour = new Map();
for (let i = 255; i >= 0; i--) {
  const [r, g, b] = data.palette.slice(3 * i, 3 * i + 3);
  indexOfColour.set((r << 16) | (g << 8) | b, i);
}

/* The 256 values of a still, read once. */
const read = new Map();
function pixels(key, image) {
  const id = `still-${image}-${key}`;
  if (!read.has(id)) read.set(id, decode(byId(id), pictureOf(key).map));
  return read.get(id);
}

async function decode(still, coloured) {
  await still.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [still.naturalWidth, still.naturalHeight];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(still, 0, 0);
  const { data: rgba } = context.getImageData(0, 0, canvas.width, canvas.height);
  const values = new Uint8Array(canvas.width * canvas.height);
  for (let i = 0; i < values.length; i++) {
    const colour = (rgba[4 * i] << 16) | (rgba[4 * i + 1] << 8) | rgba[4 * i + 2];
    values[i] = coloured ? indexOfColour.get(colour) ?? 0 : rgba[4 * i];
  }
  return { values, width: canvas.width, height: canvas.height };
}

function painted(source, table) {
  const canvas = new OffscreenCanvas(source.width, source.height);
  const context = canvas.getContext("2d");
  const target = context.createImageData(source.width, source.height);
  const rgba = target.data;
  for (let i = 0; i < source.values.length; i++) {
    const colour = table[source.values[i]];
    rgba[4 * i] = colour[0];
    rgba[4 * i + 1] = colour[1];
    rgba[4 * i + 2] = colour[2];
    rgba[4 * i + 3] = 255;
  }
  context.putImageData(target, 0, 0);
  return canvas;
}
