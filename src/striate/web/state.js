/* The page's state is the hash of its address: everything shown is a function of it.

   store.get()              {tab, picture, layer, channel, y, x, class, versus, method, range, ...}; layer, channel, y, x,
                            class, versus are whole numbers or null (y, x null: the middle of the map), everything else is text ("" when not given).
                            Other keys are kept as text, so a tab may add its own.
   store.go(partial)        changes some keys (null removes one). A new tab, picture or layer makes a step of Back,
                            anything smaller replaces the present one. The page follows at once, the address a little later.
   store.link(partial)      the hash that go(partial) would lead to, for real links
   store.follow(fn)         fn(state) after every change; one fn, the page itself */

const DEFAULTS = { tab: "see", picture: "", layer: null, channel: 0, y: null, x: null, class: null, versus: null, method: "", range: "layer" };
const WHOLE = new Set(["layer", "channel", "y", "x", "class", "versus"]);
// Browsers slow down pages that write their address more often than this.
const WRITE_EVERY = 200;

function parse(hash) {
  const state = { ...DEFAULTS };
  for (const [key, text] of new URLSearchParams(hash.replace(/^#/, ""))) {
    if (!WHOLE.has(key)) state[key] = text;
    else if (/^\d+$/.test(text)) state[key] = Number(text);
  }
  return state;
}

function format(state) {
  const kept = Object.entries(state).filter(([key, value]) =>
    key === "tab" || (value !== null && value !== undefined && value !== "" && value !== DEFAULTS[key]));
  return `#${new URLSearchParams(kept)}`;
}

export function createStore() {
  let state = parse(location.hash);
  let timer = null;
  let known = location.hash;
  let follower = () => {};
  const write = () => {
    clearTimeout(timer);
    timer = null;
    // An address that is not ours was just typed or clicked: it is about to become the state.
    if (location.hash !== known) return;
    history.replaceState(null, "", format(state));
    known = location.hash;
  };
  const change = (next) => {
    state = next;
    follower(state);
  };
  const merged = (partial) => {
    const next = { ...state, ...partial };
    for (const key of Object.keys(partial)) if (partial[key] === null) next[key] = DEFAULTS[key] ?? null;
    return next;
  };
  addEventListener("popstate", () => {
    clearTimeout(timer);
    timer = null;
    known = location.hash;
    change(parse(known));
  });
  return {
    get: () => state,
    link: (partial) => format(merged(partial)),
    go(partial) {
      const next = merged(partial);
      if (format(next) === format(state)) return;
      if (next.tab !== state.tab || next.layer !== state.layer || (state.picture && next.picture !== state.picture)) {
        write();
        history.pushState(null, "", format(next));
        known = location.hash;
      } else timer ??= setTimeout(write, WRITE_EVERY);
      change(next);
    },
    follow(fn) { follower = fn; },
  };
}
