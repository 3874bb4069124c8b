"""The agreement as a PDF, with a typeface inside that has Chinese."""

from __future__ import annotations

from fpdf import FPDF
from fpdf.enums import XPos, YPos
from pylopdf_fonts_zh_cn import sans_path

from services.gateway.agreement import Item, Pair, Sheet, Side

_FONT = "sans"
_INK, _SOFT, _ACCENT, _LINE = (22, 33, 31), (85, 98, 94), (11, 107, 92), (222, 220, 211)
_MARGIN = 20.0
_WEEK, _QUANTITY, _AMOUNT = 80.0, 50.0, 40.0


class _Page(FPDF):
    """A4 with a foot that counts the pages."""

    def __init__(self, foot: str) -> None:
        super().__init__(format="A4")
        self._foot = foot
        self.add_font(_FONT, fname=str(sans_path()))
        self.c_margin = 0
        self.set_margins(_MARGIN, _MARGIN, _MARGIN)
        self.set_auto_page_break(True, 22)

    def footer(self) -> None:
        """Write the foot of each page."""
        self.set_y(-15)
        self.set_font(_FONT, size=8)
        self.set_text_color(*_SOFT)
        self.cell(0, 5, f"{self._foot}   {self.page_no()} / {{nb}}", align="R")

    def line_of(self, text: str, size: float, colour: tuple[int, int, int], gap: float) -> None:
        """Write a paragraph."""
        self.set_font(_FONT, size=size)
        self.set_text_color(*colour)
        self.multi_cell(0, size * 0.5, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")
        self.ln(gap)

    def rule(self) -> None:
        """Draw a thin line over the page."""
        self.set_draw_color(*_LINE)
        self.line(_MARGIN, self.get_y(), self.w - _MARGIN, self.get_y())


def pdf(sheet: Sheet) -> bytes:
    """Return the PDF; building it takes some tenths of a second, so keep it off the event loop."""
    page = _Page(f"Spareline · {sheet.facts[0][1]}")
    page.set_title(f"{sheet.heading}: {sheet.title}")
    page.set_creator("Spareline")
    page.add_page()
    page.line_of(sheet.heading, 10, _ACCENT, 0)
    page.line_of(sheet.title, 18, _INK, 2)
    _pairs(page, sheet.facts)
    page.ln(4)
    _sides(page, sheet.sides)
    for item in sheet.items:
        _item(page, item, sheet.columns)
    page.ln(2)
    _pairs(page, sheet.totals, size=12)
    page.ln(4)
    page.line_of(sheet.note, 9, _SOFT, 12)
    _signatures(page, sheet)
    return bytes(page.output())


def _pairs(page: _Page, pairs: list[Pair], size: float = 10) -> None:
    for label, value in pairs:
        page.set_font(_FONT, size=size)
        page.set_text_color(*_SOFT)
        page.cell(36, size * 0.6, label)
        page.set_text_color(*_INK)
        page.multi_cell(0, size * 0.6, value, new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")


def _sides(page: _Page, sides: list[Side]) -> None:
    width = (page.w - 2 * _MARGIN) / 2
    for start in range(0, len(sides), 2):
        top = bottom = page.get_y()
        for column, side in enumerate(sides[start : start + 2]):
            left = _MARGIN + column * width
            page.set_xy(left, top)
            page.set_font(_FONT, size=8)
            page.set_text_color(*_SOFT)
            page.cell(width - 4, 5, side.role, new_x=XPos.LEFT, new_y=YPos.NEXT)
            page.set_font(_FONT, size=12)
            page.set_text_color(*_INK)
            page.multi_cell(width - 4, 6, side.name, new_x=XPos.LEFT, new_y=YPos.NEXT, align="L")
            page.set_font(_FONT, size=9)
            for line in side.lines:
                page.multi_cell(width - 4, 5, line, new_x=XPos.LEFT, new_y=YPos.NEXT, align="L")
            bottom = max(bottom, page.get_y())
        page.set_xy(_MARGIN, bottom + 5)


def _item(page: _Page, item: Item, columns: tuple[str, str, str]) -> None:
    page.rule()
    page.ln(4)
    page.line_of(item.title, 13, _INK, 0.5)
    if item.offer:
        page.line_of(item.offer, 9, _SOFT, 1)
    _pairs(page, item.terms)
    page.ln(2)
    for index, row in enumerate([columns, *item.rows]):
        head, last = index == 0, index == len(item.rows)
        page.set_font(_FONT, size=8 if head else 10)
        page.set_text_color(*(_SOFT if head else _INK))
        if last:
            page.rule()
        page.cell(_WEEK, 6, row[0])
        page.cell(_QUANTITY, 6, row[1], align="R")
        page.cell(_AMOUNT, 6, row[2], align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    page.ln(4)


def _signatures(page: _Page, sheet: Sheet) -> None:
    width = (page.w - 2 * _MARGIN) / 2
    for start in range(0, len(sheet.signers), 2):
        if page.get_y() > page.h - 50:
            page.add_page()
        page.ln(14)
        top = page.get_y()
        page.set_draw_color(*_SOFT)
        for column, name in enumerate(sheet.signers[start : start + 2]):
            left = _MARGIN + column * width
            page.line(left, top, left + width - 10, top)
            page.set_xy(left, top + 1)
            page.set_font(_FONT, size=8)
            page.set_text_color(*_SOFT)
            page.multi_cell(width - 10, 4.5, f"{sheet.signature}\n{name}", align="L")
        page.set_xy(_MARGIN, top + 12)
