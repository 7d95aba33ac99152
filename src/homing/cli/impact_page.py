"""The sensitivity of a loss as a plot: one bar an input, widest first."""

from __future__ import annotations

from html import escape
from typing import Final

from homing.review.impact import Loss

_WIDTH: Final = 860
_LEFT: Final = 190
_ROW: Final = 44


def tornado_svg(loss: Loss) -> str:
    """A self-contained SVG, light and dark."""
    scale = max((one.high for one in loss.swings), default=0.0) or 1.0
    height = 84 + _ROW * len(loss.swings)

    def x(value: float) -> float:
        return _LEFT + value / scale * (_WIDTH - _LEFT - 90)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="what moves the loss">',
        "<style>svg{background:#fff}text{font:14px system-ui,sans-serif;fill:#1c2430}"
        ".soft{fill:#5d6b7e;font-size:12px}.measured{fill:#2f8f5b}.declared{fill:#2f7f9f}"
        ".assumed{fill:#c98a1b}line{stroke:#1c2430;stroke-dasharray:5 4}"
        "@media(prefers-color-scheme:dark){svg{background:#12161c}text{fill:#e6ebf2}"
        ".soft{fill:#93a1b5}line{stroke:#e6ebf2}}</style>",
        f'<text x="12" y="24" font-weight="600">Loss a week, {escape(loss.currency)}: '
        f"{loss.p50:,.0f} (90% between {loss.p5:,.0f} and {loss.p95:,.0f})</text>",
        '<text x="12" y="44" class="soft">one input alone at its 5% and 95% end; '
        "green measured, blue declared, amber assumed</text>",
    ]
    for row, one in enumerate(loss.swings):
        y = 64 + row * _ROW
        low, high = x(one.low), max(x(one.high), x(one.low) + 2)
        parts.append(
            f'<text x="12" y="{y + 19}">{escape(one.name)}</text>'
            f'<rect class="{one.basis}" x="{low:.1f}" y="{y}" width="{high - low:.1f}" '
            f'height="26" rx="3"/>'
            f'<text class="soft" x="{low - 6:.1f}" y="{y + 18}" text-anchor="end">'
            f"{one.low:,.0f}</text>"
            f'<text class="soft" x="{high + 6:.1f}" y="{y + 18}">{one.high:,.0f}</text>'
        )
    middle = x(loss.p50)
    parts.append(f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="56" y2="{height - 16}"/></svg>\n')
    return "\n".join(parts)
