/* The viewer: a few controls, one state, one drawing of it. */
const [wipe, map] = [byId("wipe"), byId("map")];
const span = data.high - data.low;
const start = { level: data.low + span / 2, width: span, zoom: 1, x: 0.5, y: 0.5 };
const state = {
  ...start,
  image: 0,
  left: images[Math.max(0, images.length - 2)].key,
  right: images[images.length - 1].key,
  map: maps.length ? maps[Math.min(1, maps.length - 1)].key : "",
  divider: 0.5,
  gain: 1,
};
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const shown = (value) =>
  Math.abs(value) >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString();
const withUnit = (value) => `${shown(value)}${data.unit && ` ${data.unit}`}`;

function greys() {
  const low = state.level - state.width / 2;
  return Array.from({ length: 256 }, (_, i) => {
    const share = (data.low + (span * i) / 255 - low) / state.width;
    const grey = Math.round(255 * clamp(share, 0, 1));
    return [grey, grey, grey];
  });
}

function colours() {
  return Array.from({ length: 256 }, (_, i) => {
    const at = 3 * Math.min(255, Math.round(i * state.gain));
    return data.palette.slice(at, at + 3);
  });
}

/* What part of an image is seen, in its pixels. */
function frame(source) {
  const [width, height] = [source.width / state.zoom, source.height / state.zoom];
  return {
    left: clamp(state.x * source.width - width / 2, 0, source.width - width),
    top: clamp(state.y * source.height - height / 2, 0, source.height - height),
    width,
    height,
  };
}

function fitted(canvas, source) {
  canvas.style.aspectRatio = `${source.width} / ${source.height}`;
  canvas.style.maxWidth = `calc(78vh * ${source.width / source.height})`;
  const width = Math.round(canvas.clientWidth * devicePixelRatio);
  const height = Math.round((width * source.height) / source.width);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  return context;
}

function paint(context, source, table, from) {
  const { left, top, width, height } = frame(source);
  const { canvas } = context;
  context.save();
  context.beginPath();
  context.rect(from, 0, canvas.width - from, canvas.height);
  context.clip();
  context.drawImage(
    painted(source, table), left, top, width, height, 0, 0, canvas.width, canvas.height,
  );
  context.restore();
}

let sources = {};
async function load() {
  const { image, left, right, map: kind } = state;
  const wanted = [left, right, kind].filter(Boolean);
  const found = await Promise.all(wanted.map((key) => pixels(key, image)));
  if (image !== state.image || left !== state.left || right !== state.right) return;
  if (kind !== state.map) return;
  sources = { left: found[0], right: found[1], map: found[2] };
  draw();
}

function draw() {
  if (!sources.left) return;
  const context = fitted(wipe, sources.left);
  const at = Math.round(state.divider * wipe.width);
  const table = greys();
  paint(context, sources.left, table, 0);
  paint(context, sources.right, table, at);
  context.fillStyle = "#ffd54a";
  context.fillRect(at - devicePixelRatio, 0, 2 * devicePixelRatio, wipe.height);
  if (sources.map) paint(fitted(map, sources.map), sources.map, colours(), 0);
  describe();
}

function describe() {
  const about = data.images[state.image];
  const name = (key) => {
    const note = about.notes[key];
    return pictureOf(key).label + (note ? `: ${note}` : "");
  };
  byId("left-name").textContent = `◧ ${name(state.left)}`;
  byId("right-name").textContent = `${name(state.right)} ◨`;
  const percent = Math.round(100 * state.divider);
  wipe.setAttribute(
    "aria-label",
    `Image ${about.title}. Left of ${percent} %: ${name(state.left)}. ` +
      `Right: ${name(state.right)}. Zoom ${state.zoom}.`,
  );
  byId("level-value").textContent = withUnit(state.level);
  byId("width-value").textContent = withUnit(state.width);
  byId("zoom-value").textContent = `${state.zoom}×`;
  byId("divider").setAttribute("aria-valuetext", `${percent} % from the left`);
  if (!state.map) return;
  const { label, high } = pictureOf(state.map);
  map.setAttribute(
    "aria-label",
    `Image ${about.title}: ${label}, dark is 0, bright ${withUnit(high / state.gain)}.`,
  );
  byId("map-low").textContent = "0";
  byId("map-high").textContent = withUnit(high / state.gain);
  byId("gain").setAttribute("aria-valuetext", `bright is ${withUnit(high / state.gain)}`);
}

/* --- controls ------------------------------------------------------------- */
function fill(select, options, chosen) {
  options.forEach(([value, text]) => select.add(new Option(text, value)));
  select.value = chosen;
}

function change(values) {
  const anew = ["image", "left", "right", "map"].some((name) => name in values);
  Object.assign(state, values);
  for (const name of ["image", "left", "right", "level", "width", "zoom", "gain"]) {
    byId(name).value = state[name];
  }
  byId("divider").value = 100 * state.divider;
  byId("map-kind").value = state.map;
  if ("level" in values || "width" in values) byId("preset").value = "";
  if (anew) load();
  else draw();
}

function reset() {
  change({ ...start, gain: 1, divider: 0.5 });
  byId("preset").value = "full";
}
const swap = () => change({ left: state.right, right: state.left });
const show = (image) => change({ image: clamp(image, 0, data.images.length - 1) });
const zoomBy = (factor) => change({ zoom: clamp(state.zoom * factor, 1, 8) });
const moveBy = (x, y) => {
  const half = 0.5 / state.zoom;
  change({
    x: clamp(state.x + x / state.zoom, half, 1 - half),
    y: clamp(state.y + y / state.zoom, half, 1 - half),
  });
};

const KEYS = {
  ArrowLeft: () => moveBy(-0.1, 0),
  ArrowRight: () => moveBy(0.1, 0),
  ArrowUp: () => moveBy(0, -0.1),
  ArrowDown: () => moveBy(0, 0.1),
  "+": () => zoomBy(1.25),
  "=": () => zoomBy(1.25),
  "-": () => zoomBy(0.8),
  0: reset,
  s: swap,
};

function follow(canvas) {
  let last = null;
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
    KEYS[event.key]();
    event.preventDefault();
  });
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = event;
    if (canvas === wipe && state.zoom === 1) divide(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    tell(event);
    if (!last) return;
    if (state.zoom > 1) {
      const { width, height } = canvas.getBoundingClientRect();
      moveBy((last.clientX - event.clientX) / width, (last.clientY - event.clientY) / height);
    } else if (canvas === wipe) divide(event);
    last = event;
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, () => { last = null; });
  }
}

function divide(event) {
  const { left, width } = wipe.getBoundingClientRect();
  change({ divider: clamp((event.clientX - left) / width, 0, 1) });
}

function tell(event) {
  const box = event.currentTarget.getBoundingClientRect();
  const seen = frame(sources.left);
  const column = Math.floor(seen.left + ((event.clientX - box.left) / box.width) * seen.width);
  const row = Math.floor(seen.top + ((event.clientY - box.top) / box.height) * seen.height);
  const { width, height } = sources.left;
  if (column < 0 || row < 0 || column >= width || row >= height) return;
  const parts = [[state.left, "left"], [state.right, "right"], [state.map, "map"]]
    .filter(([key]) => key)
    .map(([key, side]) => {
      const { label, low, high } = pictureOf(key);
      const value = low + ((high - low) * sources[side].values[row * width + column]) / 255;
      return `${label} ${withUnit(value)}`;
    });
  byId("readout").textContent = `Row ${row}, column ${column}: ${parts.join("; ")}`;
}

function setUp() {
  byId("viewer").hidden = false;
  byId("no-script").hidden = true;
  fill(byId("image"), data.images.map(({ title }, i) => [i, `Image ${title}`]), 0);
  for (const side of ["left", "right"]) {
    fill(byId(side), images.map(({ key, label }) => [key, label]), state[side]);
  }
  fill(byId("map-kind"), maps.map(({ key, label }) => [key, label]), state.map);
  const presets = Object.keys(data.presets).map((name) => [name, name]);
  fill(byId("preset"), [["full", "Full"], ...presets, ["", "Own"]], "full");
  byId("preset-label").hidden = !presets.length;
  const step = data.unit ? 1 : Number((span / 256).toPrecision(2));
  Object.assign(byId("level"), { min: data.low, max: data.high, step });
  Object.assign(byId("width"), { min: span / 64, max: span, step });
  const bar = Array.from({ length: 9 }, (_, i) => {
    const at = 3 * Math.round((255 * i) / 8);
    return `rgb(${data.palette.slice(at, at + 3)})`;
  });
  byId("map-bar").style.background = `linear-gradient(to right, ${bar})`;
  if (!maps.length) map.closest("figure").hidden = true;
}

function listen() {
  for (const name of ["level", "width", "zoom", "gain"]) {
    byId(name).addEventListener("input", (event) =>
      change({ [name]: Number(event.target.value) }));
  }
  for (const name of ["left", "right"]) {
    byId(name).addEventListener("change", (event) => change({ [name]: event.target.value }));
  }
  byId("divider").addEventListener("input", (event) =>
    change({ divider: Number(event.target.value) / 100 }));
  byId("map-kind").addEventListener("change", (event) => change({ map: event.target.value }));
  byId("image").addEventListener("change", (event) => show(Number(event.target.value)));
  byId("previous").addEventListener("click", () => show(state.image - 1));
  byId("next").addEventListener("click", () => show(state.image + 1));
  byId("swap").addEventListener("click", swap);
  byId("reset").addEventListener("click", reset);
  byId("preset").addEventListener("change", (event) => {
    const named = data.presets[event.target.value];
    const [level, width] = named ?? [start.level, start.width];
    const chosen = named ? event.target.value : "full";
    change({ level, width });
    byId("preset").value = chosen;
  });
  table.addEventListener("click", (event) => {
    const button = event.target.closest(".pick");
    if (!button) return;
    show(data.images.findIndex(({ index }) => index === Number(button.dataset.image)));
    byId("images").scrollIntoView();
    wipe.focus({ preventScroll: true });
  });
  [wipe, map].forEach(follow);
  new ResizeObserver(draw).observe(byId("viewer"));
}

setUp();
listen();
change({ image: 0 });
