"""The report of an evaluation: sections of plain values, as a page and as a document."""
