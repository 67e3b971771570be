  // --- what the page is about -----------------------------------------------------------------------------------------
  // The data's lines: the host, its projects, then its services by position. Everything is shown as text, never as markup.
  const FIELDS = ["name", "project", "title", "purpose", "status", "via", "allow", "ports", "open", "address", "schedule", "assigned", "notes", "to", "beside"];
  const PORT_FIELDS = ["port", "inner", "protocol", "unit", "ways", "direct", "reach", "anyone", "bind", "called", "health", "clash", "last"];
  const [FREE, GROUP, HELD, PLANNED, RETIRED, RESERVED, CONFLICT] = [1, 2, 3, 4, 5, 6, 7];
  const KINDS = ["", "free", "group", "held", "planned", "retired", "reserved", "conflict"];

  const [host, ...rest] = readData();
  const projects = rest.filter((entry) => !Array.isArray(entry));
  const services = rest.filter(Array.isArray).map((values) => named(FIELDS, values));
  if (host.nginx.ports.length) {
    const ports = host.nginx.ports.map((port) => [port, port, "tcp", null, [], false, host.nginx.reach, false, "", null, null, false]);
    services.push({
      name: "nginx", project: null, title: "nginx", purpose: "The web server, in front of every route", status: "active", via: "nginx",
      allow: host.nginx.allow, ports, open: [],
    });
  }
  const byName = new Map(projects.map((project) => [project.project, project]));
  const span = ([first, last, transport]) => (first === last ? `${first}` : `${first}–${last}`) + (transport ? `/${transport}` : "");
  const spans = (ranges, most = 8) => ranges.slice(0, most).map(span).join(", ") + (ranges.length > most ? ` and ${ranges.length - most} more` : "");
  const size = (ranges) => ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  // The numbers of ranges, each once: a port may stand there for tcp and for udp.
  const numbersOf = (ranges) => [...new Set(ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, index) => first + index)))];
  const within = (ranges, port) => ranges.some(([first, last]) => first <= port && port <= last);
  const titleOf = (service) => (byName.has(service.project) ? byName.get(service.project).title : "The host itself");

  // --- rows: one for each port of a service, and one for a service without ports -------------------------------------------
  const withoutScheme = (url) => url.replace(/^https?:\/\//, "");
  class Row {
    constructor(service, entry) {
      Object.assign(this, { service, clash: false, port: null, inner: null, protocol: null, reach: "", bind: "" }, entry);
      this.transport = transportOf(this.protocol);
      this.routes = routesOf(this.ways || []);
    }
    // As the command line writes it: 5007, 53/udp, 192.168.1.5:53/udp; with /tcp only beside its own 53/udp.
    get endpoint() {
      if (this.port === null) return "";
      const both = this.service.rows.some((row) => row.port === this.port && row.transport !== this.transport);
      const number = this.bind ? `${inUrl(this.bind)}:${portText(this)}` : portText(this);
      return this.transport === "udp" || both ? `${number}/${this.transport}` : number;
    }
    // Where the host's port leads: into the container, or elsewhere; null where its own program listens.
    get end() {
      const { service } = this;
      return service.to || (this.inner === null ? null : `${service.address || ""}:${innerText(this)}`);
    }
    get others() { return this.service.rows.filter((row) => row !== this); }
    // What `#...` calls it: the service's name leads to its first row; to another one a name of its own, or its endpoint.
    get anchor() {
      if (this === this.service.rows[0]) return this.service.name;
      return this.called ? `${this.service.name}/${this.called}` : this.endpoint;
    }
    // The name or address under which a browser finds its port.
    get machine() { return this.bind ? inUrl(this.bind) : host.direct; }
    // Where a browser finds it: by a route, or by its port where that is open to others than the host.
    get link() {
      const route = this.routes.find(({ link }) => link);
      return route ? route.link : (this.direct ? `${this.protocol}://${this.machine}:${this.port}/` : null);
    }
    get named() {
      const { service } = this;
      service.called ||= [service.name, service.title, service.purpose].filter(Boolean).join(" ").toLowerCase();
      return service.called;
    }
    get words() {
      if (!this.text) {
        const { service } = this;
        const shared = [service.project, titleOf(service), service.status, service.via, ...service.allow, this.reach, service.schedule, service.assigned, this.health];
        const way = this.routes.flatMap(({ name, access, backend, link }) => [name, access, backend, link]);
        const ends = this.port === null ? [] : [this.protocol, this.transport, this.called, `${this.machine}:${portText(this)}`, this.end];
        this.text = [this.named, ...shared, ...way, ...ends, this.unit, this.link].filter(Boolean).join(" ").toLowerCase();
      }
      return this.text;
    }
  }
  for (const service of services) {
    service.rows = service.ports.length ? service.ports.map((values) => new Row(service, named(PORT_FIELDS, values))) : [new Row(service, {})];
  }
  const rows = services.flatMap((service) => service.rows);

  // --- who holds which port, and what is left -----------------------------------------------------------------------------
  const state = new Uint8Array(65536);    // the kind of each port; 0: no project owns it
  const owner = new Map();                // a project by port; two may own a number, one of them for tcp and one for udp
  const owns = (project, port) => project.owned.has(port);
  const groupOf = new Int16Array(65536).fill(-1);
  const holders = new Map();              // rows by port
  for (const row of rows) {
    for (let port = row.port; port !== null && port <= lastOf(row); port++) holders.set(port, [...(holders.get(port) || []), row]);
  }
  const servicesAt = (port) => [...new Set((holders.get(port) || []).map((row) => row.service))];
  // Of a range, the ports that somebody else holds as well.
  const isConflict = (port) => {
    const clashing = (holders.get(port) || []).filter((row) => row.clash);
    return clashing.some((row) => !row.last) || clashing.length > 1;
  };

  const HOLDING = { active: HELD, planned: PLANNED, retired: RETIRED };
  for (const project of projects) {
    project.numbers = numbersOf(project.ports);
    project.owned = new Set(project.numbers);
    for (const port of project.numbers) {
      state[port] = RESERVED;
      owner.set(port, project);
    }
  }
  for (const project of projects) {
    for (const [first, last] of project.free) state.fill(FREE, first, last + 1);
    project.groups.forEach((group, index) => {
      for (const [first, last] of group.ports) groupOf.fill(index, first, last + 1);
      for (const [first, last] of group.free) state.fill(GROUP, first, last + 1);
    });
  }
  let conflicts = 0;
  for (const [port, entries] of holders) {
    if (isConflict(port)) conflicts++;
    if (state[port]) state[port] = isConflict(port) ? CONFLICT : Math.min(...entries.map((row) => HOLDING[row.service.status]));
  }
  for (const project of projects) {
    const counts = new Array(8).fill(0);
    for (const port of project.numbers) counts[state[port]]++;
    project.counts = counts;
    project.size = project.numbers.length;
    project.taken = counts[HELD] + counts[PLANNED] + counts[RETIRED] + counts[CONFLICT];
    project.left = counts[FREE] + counts[GROUP];
  }

  // --- head -----------------------------------------------------------------------------------------------------------
  const sum = (key) => projects.reduce((total, project) => total + project[key], 0);
  const own = services.filter((service) => service.project !== null);
  const active = own.filter((service) => service.status === "active");
  if (host.url) byId("where").append(make("a", { href: host.url + "/" }, withoutScheme(host.url)), " · ");
  byId("where").append(`${plural(own.length, "service")} in ${plural(projects.length, "project")}${host.nginx.ports.length ? ", and nginx" : ""}`);
  const total = (number, words, kind = "") => byId("totals").append(make("div", { class: number ? kind : `${kind} none` }, make("dt", {}, words), make("dd", {}, count(number))));
  total(own.flatMap((service) => service.rows).reduce((all, row) => all + sizeOf(row), 0), "ports of services", "held");
  total(sum("left"), "free");
  total(active.flatMap((service) => service.rows).reduce((all, row) => all + row.routes.length, 0), "routes");
  total(active.filter((service) => service.open.length).length, "open to anyone");
  total(conflicts, conflicts === 1 ? "conflict" : "conflicts", conflicts ? "bad" : "quiet");
