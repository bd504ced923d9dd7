/* Many clips that run as one: started together at every loop, paused, scrubbed and stepped together. */
class Players {
  constructor(videos, onTime) {
    this.videos = videos; // () => the <video> elements that take part now
    this.onTime = onTime;
    this.playing = true;
    this.speed = 1;
    this.heldAt = 0;
    this.startedAt = 0;
    const tick = () => {
      if (!element.isConnected) return;
      this.follow();
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }
  ready() {
    return this.videos().filter((v) => v.readyState >= 2);
  }
  get duration() {
    return Math.max(0, ...this.ready().map((v) => v.duration || 0));
  }
  follow() {
    const ready = this.ready();
    if (!ready.length || !this.duration) return;
    if (!this.playing) return this.hold(ready);
    const length = this.duration / this.speed + 0.12; // a breath at the end, so that the loop can be seen
    const now = (performance.now() - this.startedAt) / 1000;
    if (now > length || !this.startedAt) return this.restart();
    const due = Math.min(this.duration, now * this.speed);
    for (const v of ready) if (v.paused && !v.ended && due < v.duration - 0.05) this.start(v, due); // came late
    this.heldAt = due;
    this.onTime(due, this.duration);
  }
  /* What came into sight after the clips were stopped stands at the same frame. */
  hold(ready) {
    for (const v of ready) {
      const at = Math.min(this.heldAt, v.duration);
      if (Math.abs(v.currentTime - at) > 0.001) v.currentTime = at;
    }
  }
  restart() {
    this.startedAt = performance.now();
    for (const v of this.ready()) this.start(v, 0);
  }
  start(video, at) {
    video.currentTime = at;
    video.playbackRate = this.speed;
    video.play().catch(() => {}); // the browser may pause what is off the screen; the next loop tries again
  }
  play() {
    this.playing = true;
    this.startedAt = performance.now() - (this.heldAt / this.speed) * 1000;
    for (const v of this.ready()) this.start(v, Math.min(this.heldAt, v.duration));
  }
  pause() {
    this.playing = false;
    for (const v of this.ready()) v.pause();
    this.seek(this.heldAt);
  }
  seek(at) {
    this.playing = false;
    this.heldAt = Math.max(0, Math.min(this.duration - 0.001, at));
    for (const v of this.ready()) {
      v.pause();
      v.currentTime = Math.min(this.heldAt, v.duration);
    }
    this.onTime(this.heldAt, this.duration);
  }
  setSpeed(speed) {
    this.speed = speed;
    if (this.playing) this.play();
  }
}
