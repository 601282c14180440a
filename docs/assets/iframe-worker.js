// The search of a site that is opened from the disk: a browser starts no worker there, so a hidden frame does its work.
// Material's offline plugin asks for a file of this name, and would fetch another from elsewhere.
if (location.protocol === "file:") window.Worker = class extends EventTarget {
  constructor(url) {
    super()
    const frame = document.createElement("iframe")
    frame.hidden = true
    document.body.append(frame)
    const inside = frame.contentWindow
    inside.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }))
    const script = inside.document.createElement("script")
    script.src = url
    this.ready = new Promise(resolve => script.onload = resolve)
    inside.document.body.append(script)
    this.postMessage = data => this.ready.then(() => inside.dispatchEvent(new MessageEvent("message", { data })))
  }
}
