"""The table of a run, its limits, and where it is kept."""

import os

from cases import Series

# Against nginx and against the relay, by the minimum of all rounds.
RATIO_LIMITS = {
    "get-64": (0.90, 1.20),
    "get-512": (0.82, 1.35),
    "log-64": (0.90, None),
    "log-512": (0.82, None),
    "middleware-64": (1.00, None),
    "middleware-512": (1.00, None),
    "body-1m": (0.80, None),
    "websocket-64": (0.95, None),
    "tls-full": (1.05, None),
    "tls-resumed": (1.05, None),
    "tls-get-64": (0.90, None),
    "tls-body-1m": (0.95, None),
    "tls-websocket-64": (0.95, None),
    "h2-get-1": (0.80, None),
    "h2-get-100": (0.80, None),
    "h2-grpc": (0.80, None),
}

TITLES = {
    "get-64": "small GET, 64 connections",
    "get-512": "small GET, 512 connections",
    "log-64": "the same with a JSON access log on both, 64",
    "log-512": "the same with a JSON access log on both, 512",
    "middleware-64": "headers, rate_limit, api_key (nginx: plain), 64",
    "middleware-512": "headers, rate_limit, api_key (nginx: plain), 512",
    "body-1m": "1 MiB answers, 32 connections",
    "websocket-64": "WebSocket echo of 64 bytes, 64 connections",
    "tls-full": "full handshake, TLS 1.3, ECDSA P-256",
    "tls-resumed": "resumed handshake, TLS 1.3",
    "tls-get-64": "small GET over TLS, 64 connections",
    "tls-body-1m": "1 MiB answers over TLS, 32 connections",
    "tls-websocket-64": "WebSocket echo of 64 bytes over TLS, 64 connections",
    "h2-get-1": "small GET over HTTP/2, 64 connections with 1 stream each",
    "h2-get-100": "small GET over HTTP/2, 4 connections with 100 streams each",
    "h2-grpc": "unary gRPC call, 8 connections with 16 streams each",
}

# Title, unit divisor, format, limit.
SINGLE = {
    "idle-martlet": ("resident per idle connection (5,000)", 1024, "{:.2f} KiB", 1.0),
    "idle-nginx": ("… nginx", 1024, "{:.2f} KiB", None),
    "idle-haproxy": ("… HAProxy", 1024, "{:.2f} KiB", None),
    "tls-idle-martlet": ("resident per idle connection over TLS (5,000)", 1024, "{:.2f} KiB", 24.0),
    "tls-idle-nginx": ("… nginx", 1024, "{:.2f} KiB", None),
    "tls-idle-haproxy": ("… HAProxy", 1024, "{:.2f} KiB", None),
    "h2-idle-martlet": ("resident per idle connection of HTTP/2 over TLS (5,000)", 1024, "{:.2f} KiB", 32.0),
    "h2-idle-nginx": ("… nginx", 1024, "{:.2f} KiB", None),
    "h2-idle-haproxy": ("… HAProxy", 1024, "{:.2f} KiB", None),
    "start-gateway": ("resident at start, gateway process", 1 << 20, "{:.1f} MiB", 16.0),
    "start-supervisor": ("resident at start, supervisor", 1 << 20, "{:.1f} MiB", 8.0),
    "start-nginx": ("… nginx worker", 1 << 20, "{:.1f} MiB", None),
    "instructions": ("user instructions per proxied request", 1, "{:,.0f}", 9_000),
    "instructions-nginx": ("… nginx", 1, "{:,.0f}", None),
    "instructions-middleware": ("… with headers, rate_limit, api_key", 1, "{:,.0f}", None),
    "routes-10": ("… with 10 routes", 1, "{:,.0f}", None),
    "routes-10000": ("… with 10,000 routes", 1, "{:,.0f}", None),
    "allocations": ("allocations in 10,000 requests, pools warm", 1, "{:,.0f}", 0),
    "allocations-middleware": ("… with headers, rate_limit, api_key", 1, "{:,.0f}", 0),
}
ROUTE_GROWTH_LIMIT = 1.15


def verdict(value: float, limit: float | None) -> str:
    if limit is None:
        return ""
    return "ok" if value <= limit else "MISSED"


def number(seconds: float, unit: str) -> str:
    return f"{seconds:.3f}" if unit == "s/GiB" else f"{seconds * 1e6:.2f}"


def cpu_rows(series: dict[str, dict[str, Series]], units: dict[str, str]) -> tuple[list[str], bool]:
    rows: list[str] = []
    missed = False
    for case, proxies in series.items():
        unit = units[case]
        ours = next(proxy for name, proxy in proxies.items() if name.startswith("martlet"))
        nginx = next(proxy for name, proxy in proxies.items() if name.startswith("nginx"))
        cells = [TITLES[case], unit]
        for wanted in ("martlet", "nginx", "haproxy", "relay"):
            found = [proxy for name, proxy in proxies.items() if name.startswith(wanted)]
            cells.append(f"{number(found[0].minimum(), unit)} ({number(found[0].median(), unit)})" if found else "")
        ratio = ours.minimum() / nginx.minimum()
        to_nginx, to_relay = RATIO_LIMITS[case]
        cells.append(f"**{ratio:.2f}** ({ours.median() / nginx.median():.2f}) ≤ {to_nginx:.2f} {verdict(ratio, to_nginx)}")
        missed |= ratio > to_nginx
        if "relay" in proxies:
            floor = ours.minimum() / proxies["relay"].minimum()
            cell = f"**{floor:.2f}** ({ours.median() / proxies['relay'].median():.2f})"
            cells.append(f"{cell} ≤ {to_relay:.2f} {verdict(floor, to_relay)}" if to_relay else cell)
            missed |= to_relay is not None and floor > to_relay
        else:
            cells.append("")
        rows.append("| " + " | ".join(cell.strip() for cell in cells) + " |")
    return rows, missed


def reuse_lines(series: dict[str, dict[str, Series]]) -> list[str]:
    """Upstream connections that were opened while requests ran, and how busy the proxy's core was."""
    lines = []
    for case, proxies in series.items():
        opened = ", ".join(
            f"{name} {proxy.connections():,} (core {proxy.busy():.0%} busy)" for name, proxy in proxies.items())
        lines.append(f"- {TITLES[case]}: {opened}")
    return lines


def table(series, single: dict[str, float], units: dict[str, str], described: list[str]) -> tuple[str, bool]:
    """Markdown of the whole run, and whether a limit was missed."""
    lines = [*(f"{line}." for line in described), ""]
    missed = False
    if series:
        lines += ["CPU time of the proxy: minimum of the rounds (median).", "",
                  "| case | unit | Martlet | nginx | HAProxy | TCP relay | to nginx | to relay |", "|---|---|---|---|---|---|---|---|"]
        rows, missed = cpu_rows(series, units)
        lines += [*rows, ""]
    if single:
        lines += ["| | measured | limit | |", "|---|---|---|---|"]
        for name, (title, divisor, form, limit) in SINGLE.items():
            if name not in single:
                continue
            value = single[name] / divisor
            missed |= limit is not None and value > limit
            allowed = "" if limit is None else "≤ " + form.format(limit)
            lines.append(f"| {title} | {form.format(value)} | {allowed} | {verdict(value, limit)} |")
        if "routes-10" in single and "routes-10000" in single:
            growth = single["routes-10000"] / single["routes-10"]
            missed |= growth > ROUTE_GROWTH_LIMIT
            lines.append(f"| 10,000 routes to 10 routes | {growth:.3f} | ≤ {ROUTE_GROWTH_LIMIT} | {verdict(growth, ROUTE_GROWTH_LIMIT)} |")
        lines.append("")
    if series:
        lines += ["Upstream connections opened during the rounds, with no error in any request:", "", *reuse_lines(series), ""]
    return "\n".join(lines), missed


BEGIN = "<!-- make bench writes from here -->"
END = "<!-- to here -->"


def keep(path: str, text: str) -> None:
    """Replaces what stands between the markers of a page."""
    if not os.path.exists(path):
        return
    with open(path) as file:
        page = file.read()
    if BEGIN not in page or END not in page:
        raise RuntimeError(f"{path} has no markers for the table")
    before, rest = page.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    with open(path, "w") as file:
        file.write(f"{before}{BEGIN}\n\n{text}\n{END}{after}")
