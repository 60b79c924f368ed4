/* Train: the curves of a training, and its first filters and one picture's maps as they came about.

   State of its own in the address: by ("" = epoch, "seconds"), moment (id of a snapshot, "" = the newest). */

import { cancelled } from "./api.js";
import { createAtlas } from "./atlas.js";
import { range, Scale, weightColours } from "./colour.js";
import { lineChart } from "./curves.js";
import { button, check, digits, empty, fill, h, note, panel, segmented, shapeText, worded } from "./dom.js";
import { createPlayer } from "./player.js";

const PER_SECOND = 4; // moments while playing
const STATES = { running: "Running", done: "Finished", stopped: "Stopped early", none: "No training" };
const clock = (seconds) => seconds < 120 ? `${digits(seconds, 3)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
const title = (word) => word === "iou" ? "IoU" : word.charAt(0).toUpperCase() + word.slice(1).replaceAll("_", " ");

/* One plane per filter: itself for one channel, the mean over channels for more. */
function meanFilters([filters, channels, height, width], data) {
  if (channels === 1) return data;
  const size = height * width;
  const means = new Float32Array(filters * size);
  for (let f = 0; f < filters; f++)
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < size; i++) means[f * size + i] += data[(f * channels + c) * size + i] / channels;
  return means;
}

/* The widest range of anything seen under a key, so that colours can be compared from moment to moment. */
function createRanges() {
  const known = new Map();
  return (key, values) => {
    const found = range(values), before = known.get(key) ?? found;
    const both = { minimum: Math.min(found.minimum, before.minimum), maximum: Math.max(found.maximum, before.maximum) };
    known.set(key, both);
    return both;
  };
}

/* The scores of a history: loss first, then whatever else was measured on training or validation. */
function measures(history) {
  const found = new Set(history.flatMap((row) => Object.keys(row)).flatMap((key) => key.match(/^(?:train|validation)_(.+)$/)?.[1] ?? []));
  return [...found].sort((a, b) => (b === "loss") - (a === "loss"));
}

function createCurves() {
  const charts = new Map();
  const element = h("div", { class: "train-curves" });
  return { element, draw(history, by) {
    for (const name of measures(history)) {
      if (!charts.has(name)) {
        const known = history.flatMap((row) => [row[`train_${name}`], row[`validation_${name}`]]).filter(Number.isFinite);
        const share = name !== "loss" && known.every((value) => value >= 0 && value <= 1);
        charts.set(name, lineChart({ label: title(name), low: share ? null : 0, high: share ? 1 : null,
          format: share ? (v) => `${digits(100 * v, 3)} %` : (v) => digits(v, 3), xFormat: (v) => digits(v, 3) }));
        element.append(charts.get(name).element);
      }
      const line = (part, words, curve) => ({ name: words, curve, points: history.map((row) => [row[by], row[`${part}_${name}`] ?? NaN]) });
      const lines = [line("train", "training", 1), line("validation", "validation", 2)];
      charts.get(name).draw(lines.filter(({ points }) => points.some(([, y]) => Number.isFinite(y))), { xLabel: by, whole: by === "epoch" });
    }
  } };
}

export function mount(root, { api, go, model, announce }) {
  let state = null, told = null, follow = true, shown = "", gone = false;
  const pictureOfFilters = createAtlas({ label: "Filters of the first layer at this moment" });
  const sheets = new Map();
  const filterNotes = h("div", {}), maps = h("div", { class: "train-maps" }), when = h("p", { class: "train-when" });
  const head = h("div", { class: "spread train-head" }), curves = createCurves();
  const widest = createRanges();
  const snapshots = () => told?.snapshots ?? [];
  const by = segmented("Along", [["epoch", "by epoch"], ["seconds", "by seconds"]], "epoch", (value) => go({ by: value === "epoch" ? null : value }));
  const player = createPlayer({ label: "Moment of the training", rate: () => PER_SECOND, text: (index) => words(snapshots()[index]),
    onMove: (index) => { setFollow(index === snapshots().length - 1 && told.state === "running"); go({ moment: String(snapshots()[index].id) }); } });
  const live = check("Follow the newest", true, (on) => { setFollow(on); go({ moment: on ? null : String(snapshots()[present()]?.id ?? "") }); });
  const curvesPanel = panel("", h("div", { class: "spread" }, h("h2", {}, "Curves"), by.element), curves.element,
    h("p", { class: "quiet" }, worded("Training figures are of augmented pictures and of weights that changed during the epoch; "
      + "validation figures are of the averaged weights at its end.")));
  const filmPanel = panel("", h("div", { class: "spread" }, h("h2", {}, "How it came about"), live.element),
    h("div", { class: "train-time" }, player.element, when),
    h("div", { class: "train-film" },
      h("div", {}, h("h3", {}, "Filters of the first layer that learns"), pictureOfFilters.element, filterNotes),
      maps));
  const noFilm = panel("How it came about", h("p", {}, "There are no moments of filters and maps. Every training keeps some, in the folder ", h("code", {}, "watch"),
    " of its run: the first has not come yet, or the folder was taken away or could not be written."));
  const stage = h("div", { class: "train" });
  root.append(stage);

  const words = (moment) => moment ? `epoch ${digits(moment.epoch, 3)}, step ${moment.step}, ${clock(moment.seconds)}` : "nothing yet";
  const setFollow = (on) => { follow = on; live.set(on); };

  function showHead() {
    const { state: name, progress = {}, history } = told;
    const last = history.at(-1);
    const budget = progress.epochs ? ` of ${progress.epochs}` : progress.minutes ? ` (of ${digits(progress.minutes)} min)` : "";
    const best = history.filter((row) => Number.isFinite(row.validation_loss)).sort((a, b) => a.validation_loss - b.validation_loss)[0];
    fill(head, h("p", {}, h("span", { class: `train-state ${name}` }, STATES[name] ?? name),
      last ? ` epoch ${last.epoch}${budget}, ${clock(last.seconds)}` : " before the first epoch"),
      model.training && name !== "running" ? button("Open the trained model", () => location.reload(), { class: "primary" }) : null,
      best ? h("p", { class: "quiet" }, `Lowest validation loss ${digits(best.validation_loss)} in epoch ${best.epoch}`) : null);
  }

  function showAll() {
    if (gone || !told || !state) return;
    if (told.state === "none") {
      return void fill(stage, empty("No training to show", "This is a model file. Open the run folder it came from to see its curves."));
    }
    if (!stage.contains(head)) fill(stage, h("div", { class: "panel" }, head), curvesPanel, filmPanel, noFilm);
    showHead();
    const along = state.by === "seconds" ? "seconds" : "epoch";
    by.set(along);
    curvesPanel.hidden = !told.history.length;
    curves.draw(told.history, along);
    filmPanel.hidden = !snapshots().length;
    noFilm.hidden = snapshots().length > 0;
    live.element.hidden = told.state !== "running";
    if (snapshots().length) showMoment();
  }

  /* The moment that the state names; the newest where it names none, or one that is no longer kept. */
  function present() {
    const list = snapshots();
    const index = list.findIndex(({ id }) => String(id) === state.moment);
    return index < 0 || (follow && told.state === "running") ? list.length - 1 : index;
  }

  async function showMoment() {
    const list = snapshots();
    const index = present();
    player.count(list.length);
    player.set(index);
    when.textContent = words(list[index]);
    const { id } = list[index];
    if (id === shown) return;
    shown = id;
    try {
      // No slots: while playing, an answer that comes late is dropped below, and kept for the way back.
      const { layers } = told;
      const address = `/api/training/snapshots/${id}`;
      const [filters, ...found] = await Promise.all([told.filters === null ? null : api.binary(address),
        ...layers.map(({ name }) => api.binary(`${address}/maps?layer=${encodeURIComponent(name)}`))]);
      if (gone || id !== shown) return;
      if (filters) showFilters(filters);
      found.forEach((answer, i) => showMaps(layers[i], answer));
    } catch (error) {
      if (!gone && !cancelled(error) && id === shown) fill(filterNotes, note(error.message, "error"));
    }
  }

  function showFilters({ shape, data }) {
    const [count, channels, height, width] = shape, isColour = channels === 3 && (model.form ?? "picture") === "picture" && (model.input_shape[0] ?? 3) === 3;
    const values = isColour ? data : meanFilters(shape, data);
    const scale = Scale.of(widest("filters", values), true);
    pictureOfFilters.draw({ shape: [count, height, width], data: isColour ? new Float32Array(count * height * width) : values,
      scale: isColour ? weightColours(data, height * width, scale.high) : scale, side: count > 32 ? 44 : 60 });
    fill(filterNotes, isColour ? h("p", { class: "quiet" }, `Colours around grey: grey is 0, the ends are ±${digits(scale.high)}.`)
      : scale.legend(channels > 1 ? `mean over ${channels} channels` : "weight"));
  }

  /* The maps of one layer; its sheet is made when the layer is first seen. */
  function showMaps({ name, shape: whole }, { shape, data }) {
    if (!sheets.has(name)) {
      const sheet = { atlas: createAtlas({ label: `Maps of ${name} at this moment` }), legend: h("div", {}) };
      sheets.set(name, sheet);
      if (sheets.size === 1) maps.append(h("h3", {}, worded("Feature maps of one picture"), h("span", { class: "quiet" }, ` ${told.picture}`)));
      const kept = [whole[0] > shape[0] && `the first ${shape[0]} maps`, whole.length === 4 && "the middle frame", whole.at(-1) > shape.at(-1) && `shrunk to ${Math.max(...shape.slice(1))}`];
      const title = h("span", {}, h("span", { class: "mono" }, `${name} · ${shapeText(whole)}`), h("span", { class: "quiet" }, kept.filter(Boolean).map((words) => `, ${words}`)));
      maps.append(h("section", {}, h("div", { class: "spread" }, title, sheet.legend), sheet.atlas.element));
    }
    const { atlas, legend } = sheets.get(name);
    const scale = Scale.of(widest(name, data));
    const [channels, height, width] = shape.length === 3 ? shape : [shape[0], 1, shape[1] ?? 1];
    atlas.draw({ shape: [channels, height, width], data, scale, side: 60 });
    fill(legend, scale.legend());
  }

  function take(part) {
    const before = told?.state;
    told = { history: [], snapshots: [], layers: [], ...told, ...part };
    if (before === "running" && told.state === "done") announce("The training has finished.");
    showAll();
  }

  let close = () => {};
  async function begin() {
    try {
      take(await api.json("/api/training", { keep: false }));
      if (told.state === "none" || gone) return;
      close = api.events("/api/training/events", { state: take, history: take, snapshot: take });
    } catch (error) { if (!gone) fill(stage, note(error.message, "error")); }
  }
  begin();

  return {
    update(next) {
      const first = state === null;
      state = next;
      if (first) setFollow(!state.moment);
      else if (!state.moment) setFollow(true);
      showAll();
    },
    unmount() { gone = true; close(); player.pause(); },
  };
}
