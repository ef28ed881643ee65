"""In place of the real one, which reads 38 grammars of IRIs: jsonschema, and so Ray and Jupyter, can do without."""

raise ImportError("tests go without it: it takes over a second of every process that imports Ray or papermill")
