  // --- what an audit saw of each port -----------------------------------------------------------------------------------
  // A line for each port, and for each service without one, by position; findings likewise.
  const STATES = [["differs", "differs"], ["ignored", "differs, ignored"], ["unseen", "not seen"], ["declared", "as declared"]];
  const SEEN_FIELDS = ["service", "port", "bind", "transport", "state", "findings", "unseen"];
  const FOUND_FIELDS = ["severity", "message", "rule", "place", "command", "reach"];
  const seenKey = (service, port, bind, transport) => [service, port, bind, transport].join(" ");
  const standings = new Map();
  for (const line of byId("audit").textContent.trim().split("\n").filter(Boolean)) {
    const standing = named(SEEN_FIELDS, JSON.parse(line));
    standing.findings = standing.findings.map((values) => named(FOUND_FIELDS, values));
    standings.set(seenKey(standing.service, standing.port, standing.bind, standing.transport), standing);
  }
  for (const row of rows) {
    const nobody = { state: "unseen", findings: [], unseen: ["not asked for"] };
    row.seen = standings.get(seenKey(row.service.name, row.port, row.bind || "", row.transport)) || nobody;
  }
  const seenMark = ({ state, findings, unseen }) => {
    const words = STATES.find(([name]) => name === state)[1];
    const more = state === "unseen" ? unseen.map((why) => why.split(":")[0]) : findings.map(({ rule, reach }) => (reach ? `${rule} (${reach})` : rule));
    return make("span", {}, make("span", { class: `seen ${state}` }, words),
      more.length && state !== "declared" ? make("span", { class: "why" }, [...new Set(more)].join(", ")) : null);
  };
  const seenInDetail = ({ seen }) => {
    const items = seen.findings.map(({ severity, message, rule, place, command, reach }) => make("li", {},
      make("span", { class: severity }, message), " ", make("span", { class: "rule" }, `${rule}${reach ? ` (${reach})` : ""} · ${place}`),
      command ? make("pre", {}, command) : null));
    items.push(...seen.unseen.map((why) => make("li", {}, `Not seen: ${why}`)));
    return items.length ? [make("ul", { class: "found" }, ...items)] : [];
  };
  for (const [state, words] of STATES) {
    if (rows.some((row) => row.seen.state === state)) byId("seen").append(make("option", { value: state }, words));
  }
