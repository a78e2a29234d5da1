"""The table, the order that fits, and the plot of what was measured."""

import math

WIDTH, HEIGHT, MARGIN = 720, 360, 56
COLOURS = ("#2563eb", "#dc2626", "#059669", "#9333ea", "#d97706", "#0891b2")


def order(points):
    """The p of `cost ~ size^p` that fits best, by least squares of the logarithms."""
    xs, ys = [math.log(size) for size, _ in points], [math.log(cost) for _, cost in points]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys)) / sum((a - x) ** 2 for a in xs)


def each(points):
    """Instructions that one more of it costs, from the first to the last."""
    (first, least), (last, most) = points[0], points[-1]
    return (most - least) / (last - first)


def table(results):
    """Markdown; `results` is {name: [(size, instructions), …]}."""
    lines = ["| what grows | instructions of a request, by its number | order | for one more |", "| --- | --- | --: | --: |"]
    for name, points in results.items():
        counts = ", ".join(f"{size:,}: {cost:,}" for size, cost in points)
        lines.append(f"| {name} | {counts} | N^{order(points):.2f} | {each(points):.1f} |")
    return "\n".join(lines)


def plot(results):
    """The same as an SVG, both axes by logarithms."""
    sizes = [size for points in results.values() for size, _ in points]
    costs = [cost for points in results.values() for _, cost in points]
    decades = range(math.floor(math.log10(min(costs))), math.ceil(math.log10(max(costs))) + 1)
    across, up = math.log10(max(sizes)), decades[-1] - decades[0]

    def place(size, cost):
        x = MARGIN + (WIDTH - 2 * MARGIN) * math.log10(size) / across
        return x, HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (math.log10(cost) - decades[0]) / up

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">']
    parts.append(f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>')
    parts += [rule(place(1, 10**power), place(max(sizes), 10**power), f"10^{power}") for power in decades]
    parts += [f'<text x="{place(10**power, 1)[0]:.0f}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">×{10**power:,}</text>' for power in range(int(across) + 1)]
    for colour, (name, points) in zip(COLOURS, results.items()):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
    for row, (colour, name) in enumerate(zip(COLOURS, results)):
        parts.append(f'<text x="{MARGIN + 12}" y="{MARGIN - 30 + 14 * row}" fill="{colour}">{name}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">how many there are; instructions of one request</text></svg>')
    return "\n".join(parts) + "\n"


def rule(begin, end, words):
    """A line of the grid, and what it stands for."""
    (left, y), (right, _) = begin, end
    return f'<path d="M{left:.0f} {y:.1f}H{right:.0f}" stroke="#e5e7eb"/><text x="{left - 8:.0f}" y="{y + 4:.1f}" text-anchor="end">{words}</text>'
