#!/usr/bin/env python3
"""The SMT solver cvc5 of the Python package `cvc5`, as a program: SMT-LIB on standard input, answers on standard output.

For `bandpass policy prove --symbolic --solver config/smt-solver.py`, where no cvc5 1.3 or newer is installed:

    python3 -m venv solver && solver/bin/pip install cvc5==1.4.2
    PATH=$PWD/solver/bin:$PATH bandpass policy prove --symbolic --solver config/smt-solver.py
"""

import sys

import cvc5


def commands(stream):
    """Yields one command at a time: as soon as its brackets close, since whoever asks waits for the answer."""
    text, depth, quote, comment = [], 0, None, False
    while letter := stream.read(1):
        text.append(letter)
        if comment:
            comment = letter != "\n"
        elif quote:
            quote = None if letter == quote else quote
        elif letter in '"|':
            quote = letter
        elif letter == ";":
            comment = True
        elif letter == "(":
            depth += 1
        elif letter == ")":
            depth -= 1
            if depth == 0:
                yield "".join(text)
                text = []


def begin():
    """Makes an empty solver, and the table of what is declared."""
    terms = cvc5.TermManager()
    return cvc5.Solver(terms), cvc5.SymbolManager(terms)


def answers(stream):
    """Yields what the solver says to each command."""
    solver, symbols = begin()
    for text in commands(stream):
        if text.strip() == "(reset)":
            solver, symbols = begin()
            continue
        # A parser reads ahead, so each command has its own; what was declared is kept by solver and symbols.
        parser = cvc5.InputParser(solver, symbols)
        try:
            parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "stdin")
            while not (command := parser.nextCommand()).isNull():
                yield command.invoke(solver, symbols)
        except RuntimeError as error:
            yield '(error "{}")\n'.format(str(error).replace('"', "'").replace("\n", " "))


if __name__ == "__main__":
    for answer in answers(sys.stdin):
        sys.stdout.write(answer)
        sys.stdout.flush()
