  // --- what the index is about ----------------------------------------------------------------------------------------
  // The data's lines: the hosts, then a line for each port of a service. Everything is shown as text, never as markup.
  const FIELDS = ["host", "name", "title", "purpose", "project", "status", "anchor", "port", "protocol", "reach", "ways", "direct", "bind", "last"];
  const lines = readData();
  const hosts = new Map(lines.filter((line) => !Array.isArray(line)).map((host) => [host.host, host]));

  class Row {
    constructor(values) {
      Object.assign(this, named(FIELDS, values));
      this.transport = transportOf(this.protocol);
      this.inner = null;
      this.routes = routesOf(this.ways);
    }
    // The name or address under which a browser finds its port.
    get machine() { return this.bind ? inUrl(this.bind) : hosts.get(this.host).direct; }
    // As the page of its host writes it: with /tcp only beside its own 53/udp.
    get endpoint() {
      if (this.port === null) return "";
      const both = endpoints.has(this.at("udp")) && endpoints.has(this.at("tcp"));
      const number = this.bind ? `${inUrl(this.bind)}:${portText(this)}` : portText(this);
      return this.transport === "udp" || both ? `${number}/${this.transport}` : number;
    }
    at(transport) { return `${this.host} ${this.name} ${this.port}/${transport}`; }
    // The row on the page of its host.
    get page() { return `../${this.host}/docs/ports.html#${encodeURIComponent(this.anchor)}`; }
    get link() {
      const route = this.routes.find(({ link }) => link);
      if (route) return route.link;
      return this.direct ? `${this.protocol}://${this.machine}:${this.port}/` : null;
    }
    get named() { return [this.name, this.title, this.purpose].filter(Boolean).join(" ").toLowerCase(); }
    get words() {
      this.text ||= [this.host, this.named, this.project, this.status, this.transport, this.protocol, this.reach, ...this.routes.map(({ name }) => name), this.link].filter(Boolean).join(" ").toLowerCase();
      return this.text;
    }
  }
  const rows = lines.filter(Array.isArray).map((values) => new Row(values));
  const endpoints = new Set(rows.map((row) => row.at(row.transport)));

  // --- table ----------------------------------------------------------------------------------------------------------
  const COLUMNS = [
    ["port", "Port", (row) => row.port ?? Infinity],
    ["service", "Service", (row) => row.title],
    ["host", "Host", (row) => row.host],
    ["project", "Project", (row) => row.project],
    ["allow", "Open to", (row) => row.reach || LAST],
    ["route", "Link", (row) => (row.routes.length ? row.routes[0].name : row.link) || LAST],
    ["status", "Status", (row) => row.status],
  ];
  const view = { query: "", host: "", sort: "host", down: false, page: 0, found: rows, all: false };

  const find = () => {
    const matches = searched(view.query);
    const found = rows.filter((row) => (!view.host || row.host === view.host) && matches(row));
    const [, , key] = COLUMNS.find(([name]) => name === view.sort);
    view.found = sortedBy(found, key, view.down, (one, other) => collator.compare(one.host, other.host) || one.port - other.port || collator.compare(one.title, other.title));
    view.page = 0;
  };
  const linkCell = (row) => {
    const parts = routeParts(row.routes);
    // The route's host name is not known, but the port's is.
    if (row.direct && !row.routes.some(({ link }) => link)) parts.push(linkByPort(row.protocol, row.machine, row.port));
    return tableCell("route", "", ...parts);
  };
  const rowElement = (row) => make("tr", { class: "service", role: "row", "data-name": row.name },
    portCell(row.endpoint),
    make("td", { role: "cell", class: "col-service" }, make("a", { class: "leads", href: row.page }, row.title), row.purpose ? make("span", { class: "purpose" }, row.purpose) : null),
    tableCell("host", "on", row.host),
    tableCell("project", "", row.project),
    tableCell("allow", "open to", row.status === "retired" ? "" : row.reach),
    linkCell(row),
    tableCell("status", "", make("span", { class: `state ${row.status}` }, row.status)));
  const isOwn = (row) => row.name !== "nginx";   // no service may have this name
  const counted = (some) => [new Set(some.filter(isOwn).map((row) => `${row.host} ${row.name}`)).size, some.filter(isOwn).reduce((ports, row) => ports + sizeOf(row), 0)];
  const counts = counted(rows);
  const render = () => {
    byId("rows").replaceChildren(...rowsOfPage(view).map(rowElement));
    byId("nothing").hidden = view.found.length > 0;
    byId("count").textContent = countText(counted(view.found), counts, view.found.length === rows.length, !view.found.every(isOwn));
    markHeads(view);
  };

  // --- what the table shows, in the page's address --------------------------------------------------------------------------
  const keep = (byTyping = false) => {
    const sort = (view.down ? "-" : "") + view.sort;
    remember(fragmentOf({ q: view.query.trim(), host: view.host, sort: sort === "host" ? "" : sort }), byTyping);
  };
  const follow = () => {
    typing = false;
    const state = stateIn(location.hash.slice(1));
    if (!state && location.hash) return;
    const get = (name) => (state && state.get(name)) || "";
    Object.assign(view, { query: get("q"), host: hosts.has(get("host")) ? get("host") : "" }, sortOf(get("sort"), COLUMNS, "host"));
    byId("search").value = view.query;
    byId("host").value = view.host;
    find();
    render();
  };

  for (const name of hosts.keys()) byId("host").append(make("option", { value: name }, name));
  makeHeads(COLUMNS, view, () => { find(); render(); keep(); });
  makeSearch(byId("host"), rows.length, () => {
    view.query = byId("search").value;
    view.host = byId("host").value;
    find();
    render();
  }, keep);
  makePages(view, render);
  find();
  render();
  addEventListener("hashchange", follow);
  if (location.hash) follow();
