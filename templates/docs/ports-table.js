  // --- table ----------------------------------------------------------------------------------------------------------
  const COLUMNS = [
    ["port", "Port", (row) => row.port ?? Infinity],
    ["service", "Service", (row) => row.service.title],
    ["project", "Project", (row) => titleOf(row.service)],
    ["via", "Via", (row) => row.service.via + (row.service.to || row.service.address || "")],
    ["allow", "Open to", (row) => row.reach],
    ["route", "Link", (row) => (row.routes.length ? row.routes[0].name : row.link) || LAST],
{% if audit %}
    ["seen", "Seen", (row) => STATES.findIndex(([state]) => state === row.seen.state)],
{% endif %}
    ["status", "Status", (row) => row.service.status],
    ["assigned", "Assigned", (row) => row.service.assigned || LAST],
  ];
  // `open`: the row whose details are shown.
  const view = { query: "", project: "", sort: "port", down: false, open: null, page: 0, found: rows, all: false };

  const find = () => {
    const matches = searched(view.query);
    const found = rows.filter((row) => (!view.project || row.service.project === view.project) && matches(row){% if audit %} && (!view.seen || row.seen.state === view.seen){% endif %});
    const [, , key] = COLUMNS.find(([name]) => name === view.sort);
    const between = (one, other) => collator.compare(one.service.title, other.service.title) || one.port - other.port || (one.transport < other.transport ? -1 : 1);
    view.found = sortedBy(found, key, view.down, between);
    view.page = 0;
  };

  // --- the way to a service, and what else is known of it -----------------------------------------------------------------
  // `route`: null where the row has none.
  const wayTo = (row, route) => {
    const { service } = row;
    const steps = [];
    if (route) steps.push(route.base ? withoutScheme(route.base) + route.path : route.name, "nginx", route.backend);
    else steps.push(row.bind ? row.endpoint : `${host.direct}:${row.endpoint}`);
    // nginx may connect to the container's own address: then nothing is in between.
    if (route && !route.backend.startsWith("127.0.0.1:")) return steps;
    const inside = service.to || `${service.address || "container"}:${innerText(row)}`;
    if (service.via === "socat") steps.push(row.unit, inside);
    if (service.via === "docker") steps.push("dockerd", inside);
    if (service.via === "nginx") steps.push("nginx");
    steps.push(host.listeners[service.via]);
    return steps.filter(Boolean);
  };
  const chainTo = ([row, route]) => {
    const chain = make("ol", { class: "chain", "aria-label": `How port ${row.endpoint} is reached` });
    for (const step of wayTo(row, route)) chain.append(make("li", {}, make("span", {}, step)));
    return chain;
  };
  const detailOf = (opened) => {
    const { service } = opened;
    // The row's own way first; all of a service's ports have one.
    const waysTo = (row) => (row.routes.length ? row.routes.map((route) => [row, route]) : [[row, null]]);
    const leads = service.ports.length && service.status !== "retired" ? [opened, ...opened.others].flatMap(waysTo).slice(0, 12) : [];
    const facts = make("dl", { class: "facts" });
    const fact = (name, ...value) => { if (value[0]) facts.append(make("dt", {}, name), make("dd", {}, ...value)); };
    const inward = (row) => [row.called, row.bind ? `${row.endpoint}` : portText(row), row.inner === null ? null : `→ ${innerText(row)}`, row.protocol].filter(Boolean).join(" ");
    fact("Name", service.name);
    fact("Project", titleOf(service));
    fact("Ports", service.rows.length > 1 ? service.rows.map(inward).join("\n") : "");
    fact("Via", service.ports.length ? service.via : "");
    fact("Container", service.beside ? `shared with ${service.beside.join(", ")}` : "");
    const routes = service.rows.flatMap((row) => row.routes).filter(({ access }) => access);
    fact(routes.length > 1 ? "Routes" : "Route", routes.map(({ name, access }) => `${name} (${access})`).join("\n"));
    if (opened.direct && opened.link && !host.url) fact("Link", `by ${host.direct}, the host's name in the inventory: your network has to know it`);
    fact("Health", opened.health);
    fact("Runs", service.schedule);
    fact("Assigned", service.assigned);
    fact("Notes", service.notes);
    return make("tr", { class: "detail", role: "row", id: `detail-${service.name}` },
      make("td", { role: "cell", class: "empty" }), make("td", { role: "cell", colspan: COLUMNS.length - 1 }, ...leads.map(chainTo), facts{% if audit %}, ...seenInDetail(opened){% endif %}));
  };

  // --- one row ------------------------------------------------------------------------------------------------------------
  const serviceCell = (row, beside) => {
    const { service } = row;
    const expanded = view.open === row;
    const more = make("button", { type: "button", class: "more", "aria-expanded": String(expanded), "aria-controls": expanded ? `detail-${service.name}` : null }, service.title);
    more.addEventListener("click", () => {
      view.open = expanded ? null : row;
      render();
      keep();
      focusRow(row);
    });
    const others = row.others.map((other) => other.endpoint);
    const named = others.length > 4 ? others.slice(0, 3) : others;
    const rest = others.length - named.length;
    const also = named.flatMap((other, index) => [" ", make("span", { class: "whole" }, index < named.length - 1 ? `${other},` : other)]);
    return make("td", { role: "cell", class: "col-service" }, more, " ",
      others.length ? make("span", { class: "also" }, "also", ...also, rest ? ` and ${rest} more` : null) : null,
      service.purpose && !beside ? make("span", { class: "purpose" }, service.purpose) : null);
  };
  const linkParts = (row) => {
    const parts = routeParts(row.routes);
    // The route's host name is not known, but the port's is.
    if (row.direct && !row.routes.some(({ link }) => link)) parts.push(linkByPort(row.protocol, row.machine, row.port));
    return parts;
  };
  // `beside`: the row above is another port of the same service.
  const rowElement = (row, beside) => {
    const { service } = row;
    const has = service.ports.length > 0;
    let via = service.schedule ? [service.schedule] : [];
    if (has) via = [service.via, service.to || service.address ? make("span", { class: "mono" }, ` ${row.end}`) : ""];
    const status = row.clash ? "conflict" : service.status;
    return make("tr", { class: `service${beside ? " beside" : ""}`, role: "row", "data-name": service.name, "data-anchor": row.anchor },
      portCell(row.endpoint),
      serviceCell(row, beside),
      tableCell("project", "", titleOf(service)),
      tableCell("via", has ? "by" : "runs", ...via),
      tableCell("allow", "open to", ...(has && service.status !== "retired" ? [make("span", { class: row.anyone ? "any" : null }, row.reach)] : [])),
      tableCell("route", "", ...linkParts(row)),
{% if audit %}
      tableCell("seen", "", seenMark(row.seen)),
{% endif %}
      tableCell("status", "", make("span", { class: `state ${status}` }, row.clash ? `${service.status}, held twice` : status)),
      tableCell("assigned", "", ...(service.assigned ? [make("span", { class: "day" }, service.assigned)] : [])));
  };

  // --- the table as it stands -----------------------------------------------------------------------------------------------
  const isOwn = (row) => row.service.project !== null;
  const counted = (some) => [new Set(some.filter(isOwn).map((row) => row.service)).size, some.filter(isOwn).reduce((ports, row) => ports + sizeOf(row), 0)];
  const counts = counted(rows);
  const render = () => {
    const shown = rowsOfPage(view);
    const elements = [];
    shown.forEach((row, index) => {
      const above = shown[index - 1];
      elements.push(rowElement(row, above !== undefined && above.service === row.service && view.open !== above));
      if (view.open === row) elements.push(detailOf(row));
    });
    byId("rows").replaceChildren(...elements);
    byId("nothing").hidden = view.found.length > 0;
    byId("nothing").textContent = "No service matches. Ports that no service has are not in the table: see the ranges.";
    byId("count").textContent = countText(counted(view.found), counts, view.found.length === rows.length, !view.found.every(isOwn));
    markHeads(view);
  };
  const focusRow = (row) => {
    const element = [...byId("rows").children].find((one) => one.dataset.name === row.service.name && one.dataset.anchor === row.anchor);
    element.querySelector(".more").focus({ preventScroll: true });
    return element;
  };

  // --- what the table shows, in the page's address --------------------------------------------------------------------------
  const keep = (byTyping = false) => {
    const sort = (view.down ? "-" : "") + view.sort;
    const state = { q: view.query.trim(), project: view.project, sort: sort === "port" ? "" : sort{% if audit %}, seen: view.seen{% endif %} };
    const anchor = view.open ? view.open.anchor : "";
    const plain = Object.values(state).every((value) => !value);
    remember(plain ? anchor : fragmentOf({ ...state, open: anchor }), byTyping);
  };
  // `smartnumbers`, `gitea/ssh`, `5007`, `53/udp` and `192.168.1.5:53/udp` mean a row.
  const rowOf = (anchor) => {
    const service = services.find((one) => one.name === anchor);
    if (service) return service.rows[0];
    const called = rows.find((row) => row.anchor === anchor);
    if (called) return called;
    const [number, transport] = anchor.split("/");
    const entries = (/^\d+$/.test(number) && holders.get(Number(number))) || [];
    return entries.find((row) => row.transport === transport) || entries[0];
  };
  const take = ({ query = "", project = "", sort = "", open = null{% if audit %}, seen = ""{% endif %} }) => {
    Object.assign(view, { query, open, project: byName.has(project) ? project : "" }, sortOf(sort, COLUMNS, "port"));
    byId("search").value = view.query;
    byId("project").value = view.project;
{% if audit %}
    view.seen = STATES.some(([state]) => state === seen) ? seen : "";
    byId("seen").value = view.seen;
{% endif %}
    find();
    if (open && view.found.includes(open)) view.page = Math.floor(view.found.indexOf(open) / PAGE);
    render();
  };
  const reveal = (row) => focusRow(row).scrollIntoView({ block: "center" });
  // From the map to the table: a search or filter that would hide the row ends.
  const show = (row) => {
    hideTip();
    take({ open: row });
    reveal(row);
    keep();
  };
  const follow = () => {
    typing = false;
    const fragment = location.hash.slice(1);
    const state = stateIn(fragment);
    if (state) {
      take({ query: state.get("q") || "", project: state.get("project") || "", sort: state.get("sort") || "",{% if audit %} seen: state.get("seen") || "",{% endif %} open: rowOf(state.get("open") || "") || null });
      return;
    }
    const row = rowOf(decoded(fragment));
    if (row) {
      take({ open: row });
      reveal(row);
    } else if (!fragment) take({});
  };

  for (const project of projects) byId("project").append(make("option", { value: project.project }, project.title));
  makeHeads(COLUMNS, view, () => { find(); render(); keep(); });
  makeSearch(byId("project"), rows.length, () => {
    view.query = byId("search").value;
    view.project = byId("project").value;
    find();
    render();
  }, keep);
  makePages(view, render);
{% if audit %}
  byId("seen").addEventListener("change", () => {
    view.seen = byId("seen").value;
    find();
    render();
    keep();
  });
{% endif %}

  find();
  render();
  addEventListener("hashchange", follow);
  if (location.hash) follow();
