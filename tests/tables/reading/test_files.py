"""Files as people have them, each with the values that it must be read as."""

import bz2
import datetime
import gzip
import lzma
import math
import re
import sys
import zipfile
from datetime import date as d, datetime as D
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import ganglion as gg
from ganglion.tables.reading import open_table, read_table
from ganglion.tables.records import read_record

# Name, bytes, name of the file, values by column.
FILES: list[tuple[str, bytes, str, dict[str, list[Any]]]] = [
    ("plain", b"a,b\n1,x\n2,y\n", "t.csv", {"a": [1, 2], "b": ["x", "y"]}),
    ("spaces", b"a, b, c\n1, ?, no\n2, 8, yes\n", "t.csv", {"a": [1, 2], "b": [None, 8], "c": ["no", "yes"]}),
    ("quoted blanks kept", b'a,b\n1,"  x "\n2,y \n', "t.csv", {"a": [1, 2], "b": ["  x ", "y"]}),
    (
        "blank before quote",
        b'a, b, c\n1, "Smith, John", 3\n2, "Doe, Jane", 4\n',
        "t.csv",
        {"a": [1, 2], "b": ["Smith, John", "Doe, Jane"], "c": [3, 4]},
    ),
    (
        "rows that end with a separator",
        b"t,a,n\nyes,3,0.5,\nno,4,1.5,\n",
        "t.csv",
        {"t": ["yes", "no"], "a": [3, 4], "n": [0.5, 1.5]},
    ),
    (
        "a header longer than what is looked at first",
        b",".join(b"%060d" % i for i in range(2000)) + b"\n" + 3 * (b",".join([b"1.5"] * 2000) + b"\n"),
        "t.csv",
        {f"{1999:060d}": [1.5] * 3},
    ),
    (
        "digits of another script",
        "a,b\n\u0661\u0660,1\n\u0662\u0660,2\n".encode(),
        "t.csv",
        {"a": [10, 20], "b": [1, 2]},
    ),
    ("percent and zero", b"a,b\n5%,1\n0,2\n7.5%,3\n", "t.csv", {"a": [5, 0, 7.5], "b": [1, 2, 3]}),
    ("a unit", b"a,b\n5 kg,1\n12.5 kg,2\n1e3 kg,3\n", "t.csv", {"a": [5, 12.5, 1000]}),
    ("a unit in both numbers", b"a,b\n1 year,1\n2 years,2\n", "t.csv", {"a": [1, 2]}),
    ("a unit without a blank", "a;b\n21\u00b0C;1\n22,5\u00b0C;2\n".encode(), "t.csv", {"a": [21, 22.5]}),
    ("codes with letters", b"a,b\n1A,1\n2A,2\n3B,3\n", "t.csv", {"a": ["1A", "2A", "3B"]}),
    ("streets", b"a,b\n12 Oak,1\n14 Elm,2\n", "t.csv", {"a": ["12 Oak", "14 Elm"]}),
    ("kroner", b"a;b\n10 kr;1\n12,50 kr;2\n", "t.csv", {"a": [10, 12.5]}),
    ("rupees", b"a,b\nRs. 10,1\nRs 12.5,2\n", "t.csv", {"a": [10, 12.5]}),
    ("reais", b"a;b\nR$ 10,50;1\nR$ 7,00;2\n", "t.csv", {"a": [10.5, 7]}),
    ("dollars with a country", b'a,b\nUS$ 10.00,1\n"US$ 1,000.00",2\n', "t.csv", {"a": [10, 1000]}),
    (
        "addresses",
        b"a,b\n10.100.100.100,1\n10.100.101.255,2\n",
        "t.csv",
        {"a": ["10.100.100.100", "10.100.101.255"]},
    ),
    ("billions", b"a,b\n1.234.567.890,1\n2.234.567.891,2\n", "t.csv", {"a": [1234567890, 2234567891]}),
    (
        "decimals of another script",
        "a,b\n\u0663\u066b\u0665,1\n\u0662,2\n".encode(),
        "t.csv",
        {"a": [3.5, 2]},
    ),
    ("wide digits", "a,b\n\uff11\uff12,1\n\uff13,2\n".encode(), "t.csv", {"a": [12, 3]}),
    ("minutes and seconds", b"a,b\n0:30,1\n39:15,2\n", "t.csv", {"a": [0.5, 39.25]}),
    ("days", b'a,b\n"1 day, 2:30:00",1\n0:15:00,2\n', "t.csv", {"a": [26.5, 0.25]}),
    ("durations", b"a,b\n1h 30m,1\n2h,2\n45 min,3\n", "t.csv", {"a": [1.5, 2, 0.75]}),
    ("durations of ISO 8601", b"a,b\nPT1H30M,1\nP1DT2H,2\n", "t.csv", {"a": [1.5, 26]}),
    (
        "German months",
        "a,b\n1. Januar 2020,1\n13. M\u00e4rz 2021,2\n05-Okt-19,3\n".encode(),
        "t.csv",
        {"a": [d(2020, 1, 1), d(2021, 3, 13), d(2019, 10, 5)]},
    ),
    (
        "French months",
        "a,b\n1er janvier 2020,1\n14 ao\u00fbt 2021,2\n3 juil. 2021,3\n4 juin 2021,4\n".encode(),
        "t.csv",
        {"a": [d(2020, 1, 1), d(2021, 8, 14), d(2021, 7, 3), d(2021, 6, 4)]},
    ),
    (
        "Spanish months",
        b"a,b\n02 de enero de 2020,1\n3 de agosto de 2021,2\n",
        "t.csv",
        {"a": [d(2020, 1, 2), d(2021, 8, 3)]},
    ),
    (
        "no month",
        b"a,b\n5 Marble 2020,1\n6 Decks 2020,2\n",
        "t.csv",
        {"a": ["5 Marble 2020", "6 Decks 2020"]},
    ),
    ("months", b"a,b\n2015-01,1\n2016-07,2\n", "t.csv", {"a": [d(2015, 1, 1), d(2016, 7, 1)]}),
    ("months first", b"a,b\n01/2015,1\n12/2016,2\n", "t.csv", {"a": [d(2015, 1, 1), d(2016, 12, 1)]}),
    ("months by name", b"a,b\nDec-2011,1\nJan 2012,2\n", "t.csv", {"a": [d(2011, 12, 1), d(2012, 1, 1)]}),
    ("seasons", b"a,b\n2009-10,1\n2010-11,2\n", "t.csv", {"a": ["2009-10", "2010-11"]}),
    (
        "dates of C",
        b"a,b\nMon Jan  6 10:00:00 2020,1\nTue Apr 07 22:19:45 UTC 2009,2\n",
        "t.csv",
        {"a": [datetime.datetime(2020, 1, 6, 10), datetime.datetime(2009, 4, 7, 22, 19, 45)]},
    ),
    (
        "dates of a web server",
        b"a,b\n01/Jan/2020:10:00:00 +0100,1\n02/Feb/2020:00:30:00 +0100,2\n",
        "t.csv",
        {"a": [datetime.datetime(2020, 1, 1, 9), datetime.datetime(2020, 2, 1, 23, 30)]},
    ),
    (
        "dates with signs",
        "a,b\n2020\u5e741\u670813\u65e5,1\n2021\u5e7412\u67082\u65e5,2\n".encode(),
        "t.csv",
        {"a": [d(2020, 1, 13), d(2021, 12, 2)]},
    ),
    (
        "Markdown",
        b"| a | b |\n|---|:--|\n| 1 | x |\n| 2 | y |\n",
        "t.csv",
        {"a": [1, 2], "b": ["x", "y"]},
    ),
    (
        "a table of a database",
        b" a | b\n---+---\n 1 | x\n 2 | y\n 3 | x\n(3 rows)\n",
        "t.txt",
        {"a": [1, 2, 3], "b": ["x", "y", "x"]},
    ),
    ("JSON of columns", b'{"a": [1, 2], "b": ["x", "y"]}', "t.json", {"a": [1, 2], "b": ["x", "y"]}),
    (
        "JSON of pandas",
        b'{"a": {"0": 1, "1": 2}, "b": {"0": "x", "1": "y"}}',
        "t.json",
        {"a": [1, 2], "b": ["x", "y"]},
    ),
    (
        "JSON in an object",
        b'{"data": [{"a": 1}, {"a": 2, "b": "y"}]}',
        "t.json",
        {"a": [1, 2], "b": [None, "y"]},
    ),
    (
        "errors of a sheet",
        b"a,b\n1,#DIV/0!\n#VALUE!,2\n#REF!,3\n",
        "t.csv",
        {"a": [1, None, None], "b": [None, 2, 3]},
    ),
    ("formulas for text", b'a,b\n="01",="x"\n="02",="y"\n', "t.csv", {"a": ["01", "02"], "b": ["x", "y"]}),
    (
        "invisible signs",
        "a\u200b,b\u00a0c\n1\u200b,yes\n\ufeff2,yes\u200b\n\u200e3,no\n".encode(),
        "t.csv",
        {"a": [1, 2, 3], "b c": ["yes", "yes", "no"]},
    ),
    (
        "files put together",
        "\ufeffa,b\n1,x\n2,y\n\ufeffa,b\n3,x\na,b\n4,b\n".encode(),
        "t.csv",
        {"a": [1, 2, 3, 4], "b": ["x", "y", "x", "b"]},
    ),
    (
        "words that repeat",
        b"apple,red\npear,blue\napple,red\npear,blue\n",
        "t.csv",
        {"x1": ["apple", "pear"] * 2},
    ),
    (
        "a row of totals",
        b"r,n\nx,1\ny,2\nz,3.5\nTotal,6.5\n",
        "t.csv",
        {"r": ["x", "y", "z"], "n": [1, 2, 3.5]},
    ),
    (
        "a row of totals below numbers",
        b"r;n\n1;1.000,5\n2;2,5\n3;3\nSumme:;1.006\n",
        "t.csv",
        {"r": [1, 2, 3], "n": [1000.5, 2.5, 3]},
    ),
    ("a category called total", b"r,n\nTotal,1\nx,2\ny,3\nTotal,6\n", "t.csv", {"n": [1, 2, 3, 6]}),
    ("another last row", b"r,n\nx,1\ny,2\nz,3\nTotal,7\n", "t.csv", {"n": [1, 2, 3, 7]}),
    ("currency beside none", b"a,b\n$5,1\n7,2\n$9,3\n", "t.csv", {"a": [5, 7, 9], "b": [1, 2, 3]}),
    ("semicolon comma", b"a;b\n1,5;x\n2,25;y\n", "t.csv", {"a": [1.5, 2.25], "b": ["x", "y"]}),
    ("tab decimal comma", b"a\tb\n1,5\tx\n2,25\ty\n", "t.tsv", {"a": [1.5, 2.25], "b": ["x", "y"]}),
    ("quoted decimal comma", b'a,b\n"1,5",x\n"2,25",y\n', "t.csv", {"a": [1.5, 2.25], "b": ["x", "y"]}),
    (
        "german both",
        b"a;b\n1.234,50;x\n12,5;y\n1.000.000,00;z\n",
        "t.csv",
        {"a": [1234.5, 12.5, 1e6], "b": ["x", "y", "z"]},
    ),
    (
        "us both quoted",
        b'a,b\n"1,234.50",x\n12.5,y\n"1,000,000.00",z\n',
        "t.csv",
        {"a": [1234.5, 12.5, 1e6], "b": ["x", "y", "z"]},
    ),
    (
        "dollars",
        b'a,b\n"$1,234.00",x\n"$5.50",y\n-$3.00,z\n',
        "t.csv",
        {"a": [1234, 5.5, -3], "b": ["x", "y", "z"]},
    ),
    ("euros", "a;b\n1.234,00 €;x\n5,50 €;y\n".encode(), "t.csv", {"a": [1234, 5.5], "b": ["x", "y"]}),
    ("percent", b"a,b\n6.5 %,x\n7%,y\n", "t.csv", {"a": [6.5, 7]}),
    (
        "blank thousands",
        b"a;b\n1 234;x\n12 000 000;y\n5;z\n",
        "t.csv",
        {"a": [1234, 12000000, 5], "b": ["x", "y", "z"]},
    ),
    (
        "nbsp thousands",
        "a;b\n1\u00a0234,5;x\n12\u202f000;y\n5;z\n".encode(),
        "t.csv",
        {"a": [1234.5, 12000, 5], "b": ["x", "y", "z"]},
    ),
    (
        "swiss",
        "a;b\n1'234.5;x\n12’000;y\n5;z\n".encode(),
        "t.csv",
        {"a": [1234.5, 12000, 5], "b": ["x", "y", "z"]},
    ),
    (
        "parentheses",
        b'a,b\n(12.50),x\n3.25,y\n"(1,000.00)",z\n',
        "t.csv",
        {"a": [-12.5, 3.25, -1000], "b": ["x", "y", "z"]},
    ),
    (
        "exponents",
        b"a,b\n1e3,x\n2.5E-2,y\n-1e+2,z\n",
        "t.csv",
        {"a": [1000, 0.025, -100], "b": ["x", "y", "z"]},
    ),
    ("trailing minus", b"a,b\n5-,x\n3,y\n1.5-,x\n", "t.csv", {"a": [-5, 3, -1.5]}),
    ("plus", b"a,b\n+5,x\n-3,y\n", "t.csv", {"a": [5, -3], "b": ["x", "y"]}),
    ("codes", b"a,b\n01,x\n02,y\n10,z\n", "t.csv", {"a": ["01", "02", "10"], "b": ["x", "y", "z"]}),
    (
        "postcodes",
        b"zip,b\n02116,1\n10001,2\n90210,3\n",
        "t.csv",
        {"zip": ["02116", "10001", "90210"], "b": [1, 2, 3]},
    ),
    ("zero ok", b"a,b\n0,0.5\n10,-0.3\n0,0\n", "t.csv", {"a": [0, 10, 0], "b": [0.5, -0.3, 0]}),
    (
        "markers",
        b"a,b\n1,x\nNan,y\nNAN,z\n-,x\nn/a,y\nNone,z\nnone,x\n#N/A,y\n<NA>,z\n.,x\n,y\n  ,z\nNULL,x\n2,y\n",
        "t.csv",
        {"a": [1] + [None] * 12 + [2]},
    ),
    (
        "us date",
        b"d,b\n12/25/2020,1\n01/02/2020,2\n03/04/2021,3\n",
        "t.csv",
        {"d": [d(2020, 12, 25), d(2020, 1, 2), d(2021, 3, 4)]},
    ),
    (
        "eu date",
        b"d,b\n25/12/2020,1\n01/02/2020,2\n03/04/2021,3\n",
        "t.csv",
        {"d": [d(2020, 12, 25), d(2020, 2, 1), d(2021, 4, 3)]},
    ),
    ("dots", b"d,b\n25.12.2020,1\n01.02.2020,2\n", "t.csv", {"d": [d(2020, 12, 25), d(2020, 2, 1)]}),
    ("dots ambiguous", b"d,b\n05.12.2020,1\n01.02.2020,2\n", "t.csv", {"d": [d(2020, 12, 5), d(2020, 2, 1)]}),
    ("month name", b"d,b\n01-May-2019,1\n12-Jun-2020,2\n", "t.csv", {"d": [d(2019, 5, 1), d(2020, 6, 12)]}),
    (
        "long date",
        b'd,b\n"May 1, 2019",1\n"June 12, 2020",2\n',
        "t.csv",
        {"d": [d(2019, 5, 1), d(2020, 6, 12)]},
    ),
    ("long date2", b"d,b\n1 May 2019,1\n12 June 2020,2\n", "t.csv", {"d": [d(2019, 5, 1), d(2020, 6, 12)]}),
    (
        "zone",
        b"d,b\n2019-05-01T10:00+02:00,1\n2019-05-01T10:00Z,2\n",
        "t.csv",
        {"d": [D(2019, 5, 1, 8), D(2019, 5, 1, 10)]},
    ),
    (
        "zone sec",
        b"d,b\n2019-05-01T10:00:30.5+02:00,1\n2019-05-01 10:00:00-0530,2\n",
        "t.csv",
        {"d": [D(2019, 5, 1, 8, 0, 30, 500000), D(2019, 5, 1, 15, 30)]},
    ),
    (
        "iso mixed",
        b"d,b\n2019-05-01,1\n2019-05-01 10:30,2\n",
        "t.csv",
        {"d": [D(2019, 5, 1), D(2019, 5, 1, 10, 30)]},
    ),
    (
        "12h",
        b"d,b\n01/13/2020 10:30 PM,1\n01/02/2020 9:05 AM,2\n",
        "t.csv",
        {"d": [D(2020, 1, 13, 22, 30), D(2020, 1, 2, 9, 5)]},
    ),
    ("times", b"t,b\n10:30 PM,1\n9:05 AM,2\n12:00 AM,3\n", "t.csv", {"t": [22.5, 9 + 5 / 60, 0.0]}),
    ("two digit years", b"d,b\n25/12/20,1\n01/02/99,2\n", "t.csv", {"d": [d(2020, 12, 25), d(1999, 2, 1)]}),
    (
        "header sep",
        b"Height, cm;Weight, kg;Sex\n150;50;m\n151;51;f\n",
        "t.csv",
        {"Height, cm": [150, 151], "Weight, kg": [50, 51], "Sex": ["m", "f"]},
    ),
    (
        "no header",
        b"5.1,3.5,setosa\n4.9,3.0,setosa\n6.2,3.4,virginica\n",
        "t.csv",
        {"x1": [5.1, 4.9, 6.2], "x2": [3.5, 3.0, 3.4], "x3": ["setosa", "setosa", "virginica"]},
    ),
    (
        "no header ints",
        b"1,0,3\n0,1,2\n1,1,5\n",
        "t.csv",
        {"x1": [1, 0, 1], "x2": [0, 1, 1], "x3": [3, 2, 5]},
    ),
    (
        "year names",
        b"country,2019,2020\nFR,3.2,4.5\nDE,1.5,2.5\n",
        "t.csv",
        {"country": ["FR", "DE"], "2019": [3.2, 1.5], "2020": [4.5, 2.5]},
    ),
    (
        "preamble",
        b"Report of 2020\nmade by X\n\na,b,c\n1,2,3\n4,5,6\n7,8,9\n",
        "t.csv",
        {"a": [1, 4, 7], "b": [2, 5, 8], "c": [3, 6, 9]},
    ),
    (
        "footer",
        b"a,b,c\n1,2,3\n4,5,6\n7,8,9\nSource: office\n",
        "t.csv",
        {"a": [1, 4, 7], "b": [2, 5, 8], "c": [3, 6, 9]},
    ),
    ("sep=", b"sep=;\na;b\n1;2\n3;4\n", "t.csv", {"a": [1, 3], "b": [2, 4]}),
    ("sep=|", b"sep=|\r\na|b\r\n1|2\r\n3|4\r\n", "t.csv", {"a": [1, 3], "b": [2, 4]}),
    ("comments", b"# made by\n# tool\na,b\n1,2\n# middle\n3,4\n", "t.csv", {"a": [1, 3], "b": [2, 4]}),
    (
        "comment header",
        b"# x y z\n1 2 3\n4 5 6\n7 8 9\n",
        "t.txt",
        {"x": [1, 4, 7], "y": [2, 5, 8], "z": [3, 6, 9]},
    ),
    (
        "blank separated",
        b"a   b  c\n1   2.5  x\n10  3.5  y\n",
        "t.txt",
        {"a": [1, 10], "b": [2.5, 3.5], "c": ["x", "y"]},
    ),
    (
        "blank separated lead",
        b"  1   2.5  3\n 10   3.5  4\n  2  5 6\n",
        "t.txt",
        {"x1": [1, 10, 2], "x2": [2.5, 3.5, 5], "x3": [3, 4, 6]},
    ),
    ("latin1", "a,b\n1,é\n2,ü\n".encode("latin-1"), "t.csv", {"a": [1, 2], "b": ["é", "ü"]}),
    ("cp1252", "a,b\n1,5 €\n2,“q”\n".encode("cp1252"), "t.csv", {"a": [1, 2], "b": ["5 €", "“q”"]}),
    ("utf16", "a,b\n1,é\n2,ü\n".encode("utf-16"), "t.csv", {"a": [1, 2], "b": ["é", "ü"]}),
    ("utf16le nobom", "a,b\n1,é\n2,ü\n".encode("utf-16-le"), "t.csv", {"a": [1, 2], "b": ["é", "ü"]}),
    ("utf16be nobom", "a,b\n1,é\n2,ü\n".encode("utf-16-be"), "t.csv", {"a": [1, 2], "b": ["é", "ü"]}),
    ("utf8 bom", "a,b\n1,é\n2,ü\n".encode("utf-8-sig"), "t.csv", {"a": [1, 2], "b": ["é", "ü"]}),
    ("cr", b"a,b\r1,2\r3,4\r", "t.csv", {"a": [1, 3], "b": [2, 4]}),
    ("gz", gzip.compress(b"a,b\n1,2\n3,4\n"), "t.csv.gz", {"a": [1, 3], "b": [2, 4]}),
    ("header only", b"a,b\n", "t.csv", {"a": [], "b": []}),
    ("blank lines", b"\n\na,b\n\n1,2\n\n3,4\n\n", "t.csv", {"a": [1, 3], "b": [2, 4]}),
    ("newline in quotes", b'a,b\n1,"x\ny"\n2,z\n', "t.csv", {"a": [1, 2], "b": ["x\ny", "z"]}),
    ("quote escape", b'a,b\n1,"say ""hi"""\n2,z\n', "t.csv", {"a": [1, 2], "b": ['say "hi"', "z"]}),
    ("pipe", b"a|b\n1|2\n3|4\n", "t.txt", {"a": [1, 3], "b": [2, 4]}),
    (
        "comma text in semicolon",
        b"text;n\na, b, c;1\nd, e, f;2\ng, h, i;3\n",
        "t.csv",
        {"text": ["a, b, c", "d, e, f", "g, h, i"], "n": [1, 2, 3]},
    ),
    ("one column", b"a\n1\n2\n3\n", "t.csv", {"a": [1, 2, 3]}),
    ("one column words", b"name\nAnn\nBob\nCid\n", "t.csv", {"name": ["Ann", "Bob", "Cid"]}),
    ("trailing separators", b"a,b,\n1,2,\n3,4,\n", "t.csv", {"a": [1, 3], "b": [2, 4]}),
    ("bools", b"a,b\ntrue,1\nfalse,2\n", "t.csv", {"a": [True, False]}),
    ("bools caps", b"a,b\nTrue,1\nFALSE,2\n", "t.csv", {"a": [True, False]}),
    ("thousand dot sep;", b"n;b\n120;x\n971;y\n1.008;x\n2.303;y\n", "t.csv", {"n": [120, 971, 1008, 2303]}),
    ("thousand comma sep;", b"n;b\n120;x\n971;y\n1,008;x\n2,303;y\n", "t.csv", {"n": [120, 971, 1008, 2303]}),
    ("thousands million", b"n;b\n1.234.567;x\n12.345;y\n", "t.csv", {"n": [1234567, 12345]}),
    ("other column tells", b"n;m\n1.234;0,5\n2.345;1,75\n", "t.csv", {"n": [1234, 2345], "m": [0.5, 1.75]}),
    ("three decimals", b"n,m\n0.123,1\n0.456,2\n1.789,3\n", "t.csv", {"n": [0.123, 0.456, 1.789]}),
    ("big ints", b"n,m\n12345678901234567890123,1\n2,2\n", "t.csv", {"n": ["12345678901234567890123", "2"]}),
    ("int64", b"n,m\n9007199254740993,1\n2,2\n", "t.csv", {"n": [9007199254740993, 2]}),
    ("infinity", b"n,m\ninf,1\n2,2\n-Infinity,3\n", "t.csv", {"n": [math.inf, 2.0, -math.inf]}),
    ("hex words", b"n,m\n0x1F,1\n0xFF,2\n", "t.csv", {"n": ["0x1F", "0xFF"]}),
    ("1d2 codes", b"n,m\n1E5,1\n2B7,2\n3C1,3\n", "t.csv", {"n": ["1E5", "2B7", "3C1"]}),
    ("ip", b"n,m\n192.168.0.1,1\n10.0.0.7,2\n", "t.csv", {"n": ["192.168.0.1", "10.0.0.7"]}),
    ("versions", b"n,m\n1.2.3,1\n1.10.0,2\n", "t.csv", {"n": ["1.2.3", "1.10.0"]}),
    ("phones", b"n,m\n555-1234,1\n555-9876,2\n", "t.csv", {"n": ["555-1234", "555-9876"]}),
    ("ranges", b"n,m\n20-30,1\n30-40,2\n", "t.csv", {"n": ["20-30", "30-40"]}),
    ("negative thousand", b'n,m\n"-1,234",1\n"2,345,678",2\n', "t.csv", {"n": [-1234, 2345678]}),
    ("unicode minus", "n,m\n\u22125.5,1\n3.5,2\n".encode(), "t.csv", {"n": [-5.5, 3.5]}),
    ("indian", b'n,m\n"1,23,456",1\n"12,34,567.50",2\n', "t.csv", {"n": [123456.0, 1234567.5]}),
]

# What must be refused, and a part of the message.
REFUSED: list[tuple[str, bytes, str, str]] = [
    ("ambiguous", b"d,b\n05/12/2020,1\n01/02/2020,2\n", "t.csv", "date"),
    ("less than", b"a,b\n<0.5,1\n0.7,2\n0.9,3\n1.9,3\n2.9,3\n3.9,3\n4.9,3\n", "t.csv", "<0.5"),
    ("contradiction", b"a;b\n3.5;1\n3,5;2\n", "t.csv", "a"),
    ("two currencies", b"a,b\nUSD 5,1\nEUR 7,2\nUSD 9,3\n", "t.csv", "numbers in EUR, but also 'USD 5'"),
    ("percent and fraction", b"a,b\n5%,1\n0.07,2\n9%,3\n", "t.csv", "numbers in %, but also '0.07'"),
    ("two units", b"a,b\n5 kg,1\n300 g,2\n", "t.csv", "numbers in g, but also '5 kg'"),
    ("a unit and none", b"a,b\n5 kg,1\n300,2\n", "t.csv", "numbers in kg, but also '300'"),
    ("thousands and millions", b"a,b\n10k,1\n1.5M,2\n", "t.csv", "numbers in M, but also '10k'"),
    ("hours or minutes", b"a,b\n59:10,1\n1:02:33,2\n", "t.csv", "'59:10' and '1:02:33'"),
    ("ragged long", b"a,b\n1,2\n3,4,5\n", "t.csv", "3"),
    ("pdf", b"%PDF-1.4\n\x00\x01\x02" * 50, "t.csv", ""),
    ("png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" * 20, "t.csv", ""),
    ("zip", b"PK\x03\x04\x14\x00\x00\x00" * 20, "t.csv", ""),
    ("empty", b"", "t.csv", "empty"),
    ("arff", b"@relation x\n@attribute a numeric\n@data\n1\n2\n", "t.arff", ""),
    ("sav", b"$FL2@(#) SPSS", "t.sav", ""),
    (
        "a date that is none",
        b"d\n2020-02-30\n2020-02-11\n2020-02-12\n2020-02-13\n2020-02-14\n",
        "t.csv",
        "2020-02-30",
    ),
    ("a short line", b"a,b,c\n1,2,3\n3,4\n5,6,7\n", "t.csv", "line 3 has 2"),
]


def written(folder: Path, data: bytes, name: str) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def plain(value: Any) -> Any:
    """Return a date as a datetime, so that both compare."""
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return datetime.datetime(value.year, value.month, value.day)
    return value


@pytest.mark.filterwarnings("ignore::ganglion.GanglionNotice")
@pytest.mark.parametrize(
    ("data", "name", "expected"), [case[1:] for case in FILES], ids=[case[0] for case in FILES]
)
def test_files_are_read_right(tmp_path: Path, data: bytes, name: str, expected: dict[str, list[Any]]) -> None:
    table = read_table(written(tmp_path, data, name))
    for column, values in expected.items():
        found = list(map(plain, table[column].to_list()))
        wanted = list(map(plain, values))
        assert len(found) == len(wanted)
        for got, right in zip(found, wanted, strict=True):
            if isinstance(right, float) and math.isfinite(right):
                assert got == pytest.approx(right, rel=1e-12)
            else:
                assert got == right
                assert isinstance(got, str) == isinstance(right, str)


@pytest.mark.parametrize(
    ("data", "name", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path, data: bytes, name: str, message: str) -> None:
    with pytest.raises(gg.GanglionError) as raised:
        read_table(written(tmp_path, data, name))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (
            b"n,m\n1.230,1\n4.560,2\n7.891,3\n",
            "ambiguous-numbers",
            "1.230 is read as 1.230; if it means 1230",
        ),
        (b"n\tm\n1,230\t1\n4,560\t2\n", "ambiguous-numbers", "1,230 is read as 1230; if it means 1.230"),
        (b"d,m\n20190501,1\n20200612,2\n", "numbers-as-dates", "are read as dates"),
        (b"t,m\n1600000000,1\n1600000500,2\n", "numbers-as-dates", "times since 1970"),
        (b"1,2.5\n3,4.5\n1,0\n", "no-header", "named x1 to x2"),
        (b"a,b\n1,NA\n2,x\n3,none\n", "missing-words", "'NA' in b 1 times"),
        (b"a,b\n1,2\n3,4\nTotal: 6\n", "footer", "1 last lines"),
        (b"a,b\nx,2\ny,4\nz,1\nTotal,7\n", "footer", "the last row, 'Total', holds totals"),
        (b"a,b\nx,2\ny,4\nz,1\nTotal,8\n", "footer", "the last row, 'Total', may hold totals"),
        (b"a,b\n1,x\na,b\n2,y\n", "repeated-header", "lines that repeat the header"),
    ],
)
def test_what_is_not_certain_is_said(tmp_path: Path, data: bytes, name: str, message: str) -> None:
    with pytest.warns(gg.GanglionNotice, match=message) as caught:
        read_table(written(tmp_path, data, "t.csv"))
    assert [warning.message.name for warning in caught] == [name]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("learned", "cells", "message"),
    [
        (b"a\n5 kg\n7 kg\n", b"a\n5000 g\n", "must hold numbers in kg, got '5000 g' in row 0"),
        (b"a\n$5\n$7\n", "a\n\u20ac5\n".encode(), "must hold numbers in $"),
        (b"a\n5\n7\n", b"a\n5%\n", "must hold numbers, got '5%' in row 0"),
        (b"a\n5\n7\n", b"a\n5 kg\n", "must hold numbers, got '5 kg' in row 0"),
        (b"a\n0.05\n0.5\n", b"a\n5 %\n", "must hold numbers, got '5 %' in row 0"),
    ],
)
def test_a_model_refuses_another_unit(tmp_path: Path, learned: bytes, cells: bytes, message: str) -> None:
    known = open_table(written(tmp_path, learned, "t.csv")).reading
    with pytest.raises(gg.DataError, match=re.escape(message)):
        open_table(written(tmp_path, cells, "n.csv"), known=known)


def test_a_model_reads_its_unit_or_none(tmp_path: Path) -> None:
    for learned, cells, right in (
        (b"a\n5 kg\n7 kg\n", b"a\n6kg\n8\n", [6, 8]),
        (b"a\n1 year\n7 years\n", b"a\n1 year\n", [1]),
        (b"a\n$5\n$7\n", b"a\n6\n$8\n", [6, 8]),
        (b"a\n5\n7\n", b"a\n$6\n", [6]),
        (b"a\n5%\n7%\n", b"a\n6 %\n50\n", [6, 50]),
        (b"a\ntrue\nfalse\n", b"a\n1\nNo\nT\n", [True, False, True]),
    ):
        known = open_table(written(tmp_path, learned, "t.csv")).reading
        assert open_table(written(tmp_path, cells, "n.csv"), known=known).frame["a"].to_list() == right


def test_fractions_for_a_model_of_percentages_are_noted(tmp_path: Path) -> None:
    known = open_table(written(tmp_path, b"a\n5%\n7%\n", "t.csv")).reading
    with pytest.warns(gg.GanglionNotice, match="0.5 is read as 0.5 %, as in the table") as caught:
        open_table(written(tmp_path, b"a\n0.5\n0.25\n", "n.csv"), known=known)
    assert [warning.message.name for warning in caught] == ["ambiguous-numbers"]  # type: ignore[union-attr]


def test_options_decide(tmp_path: Path) -> None:
    path = written(tmp_path, b"n,m\n1.230,1\n4.560,2\n", "t.csv")
    assert read_table(path, gg.ReadOptions(thousands="."))["n"].to_list() == [1230, 4560]
    assert read_table(path, gg.ReadOptions(decimal="."))["n"].to_list() == [1.23, 4.56]
    path = written(tmp_path, b"d;n\n05/12/2020;-999\n01/02/2020;7\n", "t.csv")
    read = read_table(path, gg.ReadOptions(dates="day-first", missing=["-999"]))
    assert read["d"].to_list() == [d(2020, 12, 5), d(2020, 2, 1)]
    assert read["n"].to_list() == [None, 7]
    assert read_table(path, gg.ReadOptions(dates="%m/%d/%Y"))["d"].to_list() == [
        d(2020, 5, 12),
        d(2020, 1, 2),
    ]
    path = written(tmp_path, b"t,u\n86400,20200101\n0,20200102\n", "t.csv")
    read = read_table(path, gg.ReadOptions(dates={"t": "unix", "u": "number"}))
    assert read["t"].to_list() == [d(1970, 1, 2), d(1970, 1, 1)]
    assert read["u"].to_list() == [20200101, 20200102]
    path = written(tmp_path, b"1,2\n3,4\n", "t.csv")
    assert read_table(path, gg.ReadOptions(header=True)).columns == ["1", "2"]
    path = written(tmp_path, b"a:b\n1:2\n%3:4\n5:6\n", "t.csv")
    assert read_table(path, gg.ReadOptions(separator=":", comment="%"))["a"].to_list() == [1, 5]
    path = written(tmp_path, "a,b\n1,\u0434\n".encode("cp1251"), "t.csv")
    assert read_table(path, gg.ReadOptions(encoding="cp1251"))["b"].to_list() == ["\u0434"]


@pytest.mark.parametrize(
    "settings",
    [{"separator": "ab"}, {"decimal": "x"}, {"thousands": "x"}, {"decimal": ",", "thousands": ","}, {"encoding": "x"},
     {"dates": "x"}, {"missing": 3}, {"comment": 3}, {"header": 3}],
)  # fmt: skip
def test_wrong_options_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(gg.ConfigError):
        gg.ReadOptions(**settings)


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zip", "zst"])
def test_compressed_files(tmp_path: Path, ending: str) -> None:
    data = "a,b\n1,\u00e9\n2,y\n".encode()
    path = tmp_path / f"t.csv.{ending}"
    if ending == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("t.csv", data)
    elif ending == "zst":
        pl.read_csv(data).lazy().sink_csv(path, compression="zstd")
    else:
        path.write_bytes({"gz": gzip, "bz2": bz2, "xz": lzma}[ending].compress(data))
    assert read_table(path).to_dict(as_series=False) == {"a": [1, 2], "b": ["\u00e9", "y"]}


def test_folders_patterns_lists_and_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (
        written(tmp_path, b"a;b\n1,5;x\n", "1.csv"),
        written(tmp_path, b"a;b\n1.234,5;y\n", "2.csv"),
    )
    for source in (tmp_path, str(tmp_path / "*.csv"), [first, second]):
        assert read_table(source).to_dict(as_series=False) == {"a": [1.5, 1234.5], "b": ["x", "y"]}
    (tmp_path / "parts").mkdir()
    for i in range(3):
        pl.DataFrame({"a": [i]}).write_parquet(tmp_path / "parts" / f"{i}.parquet")
    assert read_table(tmp_path / "parts")["a"].to_list() == [0, 1, 2]
    written(tmp_path, b"a;c\n1,5;x\n", "3.csv")
    with pytest.raises(gg.DataError, match="same columns"):
        read_table(tmp_path)
    with monkeypatch.context() as patch, first.open(encoding="utf-8") as file:
        patch.setattr(sys, "stdin", file)
        assert read_table("-")["a"].to_list() == [1.5]


def test_sheets(tmp_path: Path) -> None:
    pytest.importorskip("fastexcel")
    xlsxwriter = pytest.importorskip("xlsxwriter")
    with xlsxwriter.Workbook(tmp_path / "t.xlsx") as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate([["a", "b"], [1.5, "x"], [2, "y"]]):
            sheet.write_row(row, 0, cells)
    assert read_table(tmp_path / "t.xlsx").to_dict(as_series=False) == {"a": [1.5, 2.0], "b": ["x", "y"]}
    with xlsxwriter.Workbook(tmp_path / "title.xlsx") as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate(
            [["Sales of 2026"], [], ["a", "b"], [1.5, "x"], [2, "y"], [4, "x"], [7.5, "Sum"]]
        ):
            sheet.write_row(row, 0, cells)
    with pytest.warns(gg.GanglionNotice, match="'Sum', holds totals"):
        read = read_table(tmp_path / "title.xlsx")
    assert read.to_dict(as_series=False) == {"a": [1.5, 2.0, 4.0], "b": ["x", "y", "x"]}
    (tmp_path / "no.xlsx").write_bytes(b"noise")
    with pytest.raises(gg.FileError, match="cannot be read"):
        read_table(tmp_path / "no.xlsx")


@pytest.mark.filterwarnings("ignore::ganglion.GanglionNotice")
@pytest.mark.parametrize(("data", "name"), [case[1:3] for case in FILES], ids=[case[0] for case in FILES])
def test_large_files_are_read_like_small_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, name: str
) -> None:
    """Of large files polars takes the cells apart."""
    path = written(tmp_path, data, name)
    small = open_table(path)
    monkeypatch.setattr("ganglion.tables.reading.text.SMALL", 0)
    large = open_table(path)
    assert small.frame.equals(large.frame)
    assert small.reading == large.reading


LONG = 200_000  # rows, more than a small file has


def test_large_files_are_checked_line_by_line(tmp_path: Path) -> None:
    rows = [f"{i},{i / 2},w{i % 7}" for i in range(LONG)]
    right = pl.DataFrame(
        {"a": range(LONG), "b": [i / 2 for i in range(LONG)], "c": [f"w{i % 7}" for i in range(LONG)]}
    )

    def read(lines: list[str]) -> pl.DataFrame:
        return read_table(written(tmp_path, "\n".join(["a,b,c", *lines, ""]).encode(), "t.csv"))

    assert read(rows).equals(right)
    assert read([*rows[:9], "", *rows[9:-1], "  ", "", rows[-1]]).equals(right)  # blank lines
    assert read([row.replace("w", " w") + " " for row in rows]).equals(right)
    assert read([f'"{row}"'.replace(",", '","') for row in rows]).equals(right)
    assert read([row if i % 5 else f"# {i}\n{row}" for i, row in enumerate(rows)]).equals(right)
    marked = [row if i != LONG - 2 else f"NA,-,{row.split(',')[2]}" for i, row in enumerate(rows)]
    table = read(marked)
    assert table.null_count().row(0) == (1, 1, 0)
    assert table.dtypes == [pl.Int64, pl.Float64, pl.String]
    assert table[LONG - 1].equals(right[LONG - 1])
    for wrong, count in (("7,7", 2), ("7,7,w,9", 4), ('7,"7,w"', 2)):
        with pytest.raises(gg.FileError, match=rf"3 cells, line {LONG - 98} has {count}"):
            read([*rows[:-100], wrong, *rows[-99:]])


def test_a_late_zero_makes_codes(tmp_path: Path) -> None:
    rows = "".join(f"{i},1.5\n" for i in range(1000, 300_000))
    path = written(tmp_path, f"a,b\n{rows}0123,1\n".encode(), "t.csv")
    assert path.stat().st_size > 2**20
    assert read_table(path).dtypes == [pl.String, pl.Float64]
    path = written(tmp_path, f"a,b\n{rows}123,007\n".encode(), "t.csv")
    assert read_table(path).dtypes == [pl.Int64, pl.Float64]  # a fraction elsewhere: 007 is a number


@pytest.mark.filterwarnings("ignore::ganglion.GanglionNotice")
def test_a_first_row_with_a_gap_is_no_header(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, b",aa\n0.5,aa\n1.5,bb\n2.5,aa\n", "t.csv"))
    assert table.to_dict(as_series=False) == {"x1": [None, 0.5, 1.5, 2.5], "x2": ["aa", "aa", "bb", "aa"]}
    table = read_table(written(tmp_path, b",name\n0.5,aa\n1.5,bb\n2.5,aa\n", "t.csv"))
    assert table.height == 3  # a column without a name, as programs write row numbers
    assert table.columns[1] == "name"


def test_the_missing_number_is_missing_however_it_is_written(tmp_path: Path) -> None:
    path = written(tmp_path, b"a,b,c\n-999.0,-999,x\n1.5,7,-999\n2.5,8,y\n-999.00,9,x\n", "t.csv")
    table = open_table(path, gg.ReadOptions(missing=["-999"]))
    assert table.frame.to_dict(as_series=False) == {
        "a": [None, 1.5, 2.5, None],
        "b": [None, 7, 8, 9],
        "c": ["x", None, "y", "x"],
    }
    reading = table.reading
    assert read_table(path, known=reading).equals(table.frame)
    assert dict(read_record({"a": -999, "b": -999.0, "c": "-999"}, reading)) == dict.fromkeys("abc")
    assert dict(read_record({"a": "-999.00", "b": 7, "c": "x"}, reading)) == {"a": None, "b": 7, "c": "x"}


def test_a_word_named_as_missing_is_missing_in_the_target_too(tmp_path: Path) -> None:
    path = written(tmp_path, b"a,y\n1,NA\n2,yes\n3,no\n", "t.csv")
    assert open_table(path, targets=["y"]).frame["y"].to_list() == ["NA", "yes", "no"]
    given = open_table(path, gg.ReadOptions(missing=["NA"]), targets=["y"])
    assert given.frame["y"].to_list() == [None, "yes", "no"]


def test_an_english_file_for_a_german_model_is_spoken_of(tmp_path: Path) -> None:
    known = open_table(written(tmp_path, b"price;n\n1.234,50;3\n2,50;4\n", "a.csv")).reading
    new = written(tmp_path, b"price,n\n42.510,3\n7.125,4\n", "b.csv")
    with pytest.warns(gg.GanglionNotice, match="42.510 is read as 42510, .* use --decimal"):
        assert read_table(new, known=known)["price"].to_list() == [42510, 7125]
    assert read_table(new, gg.ReadOptions(decimal="."), known)["price"].to_list() == [42.51, 7.125]
    same = written(tmp_path, b"price;n\n42.510;3\n7.125;4\n", "c.csv")
    assert read_table(same, known=known)["price"].to_list() == [42510, 7125]


def test_names_that_no_number_confirms_are_spoken_of(tmp_path: Path) -> None:
    with pytest.warns(gg.GanglionNotice, match="is taken for names, .* use --no-header"):
        table = read_table(written(tmp_path, b",aaa\n0.0,aa\n1.5,b\n", "t.csv"))
    assert table.columns == ["row name", "aaa"]
    table = read_table(written(tmp_path, b",aaa\n0.0,aa\n1.5,b\n", "t.csv"), gg.ReadOptions(header=False))
    assert table.to_dict(as_series=False) == {"x1": [None, 0.0, 1.5], "x2": ["aaa", "aa", "b"]}
    table = read_table(written(tmp_path, b'"","name"\n"1","a"\n"2","b"\n', "t.csv"))  # as R writes it
    assert table.to_dict(as_series=False) == {"row name": [1, 2], "name": ["a", "b"]}
