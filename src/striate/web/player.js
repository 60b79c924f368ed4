/* A row of controls that moves through numbered moments: back, play or pause, forward, and a slider.

   createPlayer({label, rate, text, onMove, onPlay}) -> player
     rate()          moments per second while playing; text(index) what the slider says aloud
     onMove(index)   after every move; onPlay(on) when playing starts or ends
   player.element, player.count(n), player.set(index) (moves the slider, without calling onMove), player.pause()

   With "reduced motion" nothing plays by itself: the button is off and says so; stepping always works. */

import { button, h } from "./dom.js";

export const stillness = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export function createPlayer({ label, rate, text, onMove, onPlay = () => {} }) {
  let [count, index, timer, due] = [0, 0, null, 0];
  const slider = h("input", { type: "range", min: 0, max: 0, step: 1, "aria-label": label, class: "player-slider",
    on: { input: () => { pause(); move(Number(slider.value)); } } });
  const back = button("‹", () => { pause(); move(index - 1); }, { "aria-label": "One step back", title: "One step back" });
  const on = button("›", () => { pause(); move(index + 1); }, { "aria-label": "One step forward", title: "One step forward" });
  const play = button("Play", () => (timer === null ? start() : pause()), { class: "player-play" });
  const still = h("span", { class: "quiet" }, "Your system asks for less motion: step with ‹ and ›.");
  const element = h("div", { class: "toolbar player", role: "group", "aria-label": label }, back, play, on, slider, still);

  function show() {
    slider.max = String(Math.max(0, count - 1));
    slider.value = String(index);
    slider.disabled = count < 2;
    slider.setAttribute("aria-valuetext", count ? text(index) : "nothing yet");
    back.disabled = index <= 0;
    on.disabled = index >= count - 1;
    play.disabled = count < 2 || stillness();
    still.hidden = !stillness();
    play.textContent = timer === null ? "Play" : "Pause";
  }
  function move(to) {
    index = Math.min(count - 1, Math.max(0, to));
    show();
    onMove(index);
  }
  /* As many moments as the time since the last frame is worth, so that fast sweeps need no fast screen. */
  function frame(now) {
    const moments = Math.floor((now - due) * rate() / 1000);
    if (moments > 0) {
      due = now;
      move(index + moments);
    }
    if (index >= count - 1) pause();
    else if (timer !== null) timer = requestAnimationFrame(frame);
  }
  function start() {
    if (index >= count - 1) index = 0;
    due = performance.now();
    timer = requestAnimationFrame(frame);
    onPlay(true);
    move(index);
  }
  function pause() {
    if (timer === null) return;
    cancelAnimationFrame(timer);
    timer = null;
    show();
    onPlay(false);
  }
  show();
  return {
    element, pause,
    count(n) { count = n; index = Math.min(index, Math.max(0, n - 1)); show(); },
    set(to) { index = Math.min(count - 1, Math.max(0, to)); show(); },
  };
}
