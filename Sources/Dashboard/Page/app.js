// Shows what the API says, and writes nothing: who decides does so with their own rights, in a terminal.
const main = document.getElementById("main")
const link = document.getElementById("link")

// Every text goes in as a text: names and messages come from other people.
function el(tag, attributes, ...children) {
  const node = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue
    if (name === "class") node.className = value
    else if (name === "width" || name === "left") node.style[name] = value
    else node.setAttribute(name, value)
  }
  for (const child of children.flat()) {
    if (child === undefined || child === null || child === false) continue
    node.append(child instanceof Node ? child : document.createTextNode(String(child)))
  }
  return node
}

const badge = (word) => word && el("span", { class: `badge ${word}` }, word)
const image = (text) => text.split("/").pop()

function ago(text) {
  if (!text) return ""
  const seconds = Math.max(0, (Date.now() - Date.parse(text)) / 1000)
  if (seconds < 90) return `${Math.round(seconds)}s ago`
  if (seconds < 5400) return `${Math.round(seconds / 60)}m ago`
  if (seconds < 129600) return `${Math.round(seconds / 3600)}h ago`
  return `${Math.round(seconds / 86400)}d ago`
}

function between(from, to) {
  if (!from || !to) return ""
  const seconds = Math.round((Date.parse(to) - Date.parse(from)) / 1000)
  if (seconds < 60) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes}m${seconds % 60}s` : `${Math.floor(minutes / 60)}h${minutes % 60}m`
}

function weight(percent, isOn) {
  return el("div", { class: isOn ? "weight" : "weight idle" },
    el("div", { class: "bar", role: "img", "aria-label": `${percent} % to the canary` },
      el("i", { width: `${percent}%` })),
    el("b", {}, `${percent}%`))
}

// MARK: The list

function list(items) {
  if (items.length === 0) {
    return el("p", { class: "empty" }, "There is no Rollout here yet. A plan beside a Deployment is all it takes.")
  }
  return el("table", {},
    el("thead", {}, el("tr", {}, ["Rollout", "", "Canary", "Step", "Version"].map((name) => el("th", {}, name)))),
    el("tbody", {}, items.map((item) => {
      const status = item.status
      const isOn = Boolean(status.canary)
      const images = (isOn ? status.canary.images : status.stable?.images) ?? []
      return el("tr", {},
        el("td", {}, el("a", { href: `#/${item.namespace}/${item.name}` }, item.name),
          el("div", { class: "soft" }, item.namespace)),
        el("td", {}, badge(status.phase ?? "Waiting")),
        el("td", {}, weight(status.weight ?? 0, isOn)),
        el("td", {}, status.step ?? ""),
        el("td", {}, images.map((name) => el("div", { class: "code" }, image(name))),
          el("div", { class: "soft" }, status.phase === "Idle" ? "" : status.message ?? "")))
    })))
}

// MARK: One Rollout

function track(name, revision) {
  if (!revision) return null
  return el("div", { class: `track ${name}` },
    el("h3", {}, name),
    el("div", {}, el("code", {}, revision.hash), ` ${revision.available ?? 0}/${revision.desired ?? 0} pods`),
    (revision.images ?? []).map((text) => el("div", { class: "code soft" }, text)))
}

// Both tracks' intervals on one scale, with the limit: shares of requests, or what a query counts, in its own unit.
function intervals(evidence) {
  const tracks = ["canary", "stable"].filter((name) => evidence?.[name]?.upper !== undefined)
  if (tracks.length === 0) return null
  const isOfQuery = tracks.some((name) => evidence[name].amount !== undefined)
  const text = (value) => isOfQuery ? `${Number(Number(value).toPrecision(3))}` : `${Number((100 * Number(value)).toPrecision(2))}%`
  const limit = Number(evidence.limit)
  const ends = tracks.map((name) => Number(evidence[name].upper)).concat(Number.isFinite(limit) ? [limit] : [])
  const bottom = Math.min(0, ...tracks.map((name) => Number(evidence[name].lower ?? 0)))
  const top = bottom + (Math.max(...ends) - bottom) * 1.1
  if (!(top > bottom)) return null
  const part = (value) => (100 * (Math.min(value, top) - bottom)) / (top - bottom)
  return el("div", { class: "range" }, tracks.flatMap((name) => {
    const lower = Number(evidence[name].lower ?? 0)
    const upper = Number(evidence[name].upper)
    return [
      el("span", { class: "soft" }, name),
      el("div", { class: `scale ${name}`, role: "img",
        "aria-label": `${name}: between ${text(lower)} and ${text(upper)}` },
        el("i", { left: `${part(lower)}%`, width: `${part(upper) - part(lower)}%` }),
        Number.isFinite(limit) && el("u", { left: `${part(limit)}%` })),
      el("span", {}, `${text(lower)} … ${text(upper)}`),
    ]
  }))
}

function check(record) {
  return el("div", { class: "check" },
    el("div", { class: "head" }, badge(record.verdict), el("b", {}, record.name),
      record.mode && el("span", { class: "soft" }, record.mode),
      record.evidence?.window && el("span", { class: "soft" }, `watched for ${record.evidence.window}`)),
    record.message && el("div", { class: "message" }, record.message),
    intervals(record.evidence),
    (record.evidence?.queries ?? []).length > 0 && el("details", {}, el("summary", {}, "queries"),
      record.evidence.queries.map((query) => el("div", { class: "code" }, query))))
}

// Guards that found nothing are told in one line, and one each for what is not watched.
function checks(records) {
  const isRoutine = (record) => record.kind && record.kind !== "Objective" && ["Pass", "Unknown"].includes(record.verdict)
  const routine = records.filter(isRoutine)
  const quiet = routine.filter((record) => record.verdict === "Pass").map((record) => record.name)
  return [
    ...records.filter((record) => !isRoutine(record)).map(check),
    quiet.length > 0 && el("div", { class: "check soft" }, `nothing unusual: ${quiet.join(", ")}`),
    ...routine.filter((record) => record.verdict !== "Pass").map((record) =>
      el("div", { class: "check soft" }, `${record.name}: ${record.message ?? record.verdict}`)),
  ]
}

const heading = (record) => record.step ? `Step ${record.step}: ${record.name ?? record.title ?? ""}` : record.kind

function timeline(run) {
  const records = run.status.timeline ?? []
  return el("ol", { class: "steps" }, records.map((record) => {
    const isNow = !record.finishedAt
    return el("li", { class: isNow ? "now Running" : record.outcome },
      el("div", { class: "title" }, el("b", {}, heading(record)),
        isNow ? el("span", { class: "soft" }, `for ${between(record.startedAt, new Date().toISOString())}`)
          : el("span", { class: "soft" }, `${record.outcome ?? ""} after ${between(record.startedAt, record.finishedAt)}`)),
      record.name && el("div", { class: "soft" }, record.title),
      record.message && el("div", { class: "soft message" }, record.message),
      (record.checks ?? []).length > 0 && el("details", { open: record.outcome === "Failed" ? "" : null },
        el("summary", {}, `${record.checks.length} checks`), checks(record.checks)))
  }))
}

// What a person can do now, to be copied.
function ways(rollout) {
  const name = `${rollout.name} -n ${rollout.namespace}`
  const commands = {
    Running: [`sluice pause ${name}`, `sluice abort ${name}`],
    Paused: [`sluice promote ${name}`, `sluice abort ${name}`],
    Rejected: [`sluice explain ${name}`, `sluice retry ${name}`, `sluice undo ${name}`],
    Stalled: [`sluice status ${name}`],
  }[rollout.status.phase]
  return commands && el("p", {}, commands.map((text) => el("div", {}, el("code", {}, text))))
}

function detail(found) {
  const { rollout, runs } = found
  const status = rollout.status
  const run = runs[0]
  return [
    el("section", { class: "card" },
      el("div", { class: "title" }, el("h1", {}, rollout.name), badge(status.phase ?? "Waiting")),
      el("p", { class: "message" }, status.message ?? "not looked at yet"),
      weight(status.weight ?? 0, Boolean(status.canary)),
      el("div", { class: "tracks" }, track("stable", status.stable), track("canary", status.canary)),
      ways(rollout)),
    run && (run.status.checks ?? []).length > 0 && !run.status.finishedAt && [
      el("h2", {}, "Checks of this step"), el("section", { class: "card" }, checks(run.status.checks))],
    run && [el("h2", {}, `Run ${run.name}`), el("section", { class: "card" },
      el("div", { class: "title" }, badge(run.status.phase ?? "Pending"),
        el("span", { class: "soft" }, `began ${ago(run.status.startedAt ?? run.createdAt)}`)),
      run.status.message && el("p", { class: "message" }, run.status.message),
      timeline(run))],
    runs.length > 1 && [el("h2", {}, "Earlier runs"), el("table", {}, el("tbody", {}, runs.slice(1).map((old) =>
      el("tr", {}, el("td", { class: "code" }, old.name), el("td", {}, badge(old.status.phase ?? "Pending")),
        el("td", { class: "soft" }, ago(old.status.finishedAt)), el("td", {}, old.status.message ?? "")))))],
  ].flat(3).filter(Boolean)
}

// MARK: What is shown, and when it is read again

let asked = 0
async function show() {
  const path = location.hash.replace(/^#\/?/, "")
  const [namespace, name] = path.split("/")
  const isOne = Boolean(namespace && name)
  const mine = ++asked
  try {
    const answer = await fetch(isOne ? `/api/rollouts/${namespace}/${name}` : "/api/rollouts", { cache: "no-store" })
    const found = await answer.json()
    // An answer that another one has overtaken is not shown.
    if (mine !== asked) return
    document.getElementById("path").textContent = isOne ? `/ ${namespace} / ${name}` : ""
    document.title = isOne ? `${name} – Sluice` : "Sluice"
    if (!answer.ok) main.replaceChildren(el("p", { class: "empty" }, found.message ?? `HTTP ${answer.status}`))
    else replace(isOne ? detail(found) : [list(found.items)])
    say(found.problem)
  } catch {
    if (mine === asked) say("no connection")
  }
}

// What a person has opened stays open.
function replace(nodes) {
  const opened = [...main.querySelectorAll("details")].map((node) => node.open)
  main.replaceChildren(...nodes)
  main.querySelectorAll("details").forEach((node, index) => { if (opened[index]) node.open = true })
}

function say(problem) {
  link.className = problem ? "lost" : ""
  link.textContent = problem ?? "live"
}

let isDue = false
function soon() {
  if (isDue) return
  isDue = true
  setTimeout(() => { isDue = false; show() }, 200)
}

addEventListener("hashchange", show)
const events = new EventSource("/api/events")
events.addEventListener("change", soon)
events.addEventListener("open", soon)
events.addEventListener("error", () => say("no connection"))
// Times such as "for 20s" move on without a change.
setInterval(soon, 10000)
show()
