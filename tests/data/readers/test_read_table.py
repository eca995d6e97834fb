"""Laws of reading: tables as they are published come in whole; the text is never in memory as a whole."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from npquant.data.readers.read_table import read_table

# Two or three rows in the form of a well-known table; columns (n number, t text, b bool); missing cells; notes.
AS_PUBLISHED = {
    "forest fires": ("X,Y,month,day,FFMC,area\n7,5,mar,fri,86.2,0\n7,4,oct,tue,90.6,.36\n", "nnttnn", 0, ()),
    "iris": (
        "5.1,3.5,1.4,0.2,Iris-setosa\n4.9,3.0,1.4,0.2,Iris-setosa\n7,3.2,4.7,1.4,Iris-virginica\n\n",
        "nnnnt",
        0,
        (),
    ),
    "wine": ("1,14.23,1.71,1065\n2,13.2,1.78,1050\n3,13.16,2.36,1185\n", "nnnn", 0, ()),
    "adult": (
        "39, State-gov, 77516, Never-married, <=50K\n50, ?, 83311, Wed, >50K\n38, Private, 21564, Wed, <=50K\n",
        "ntntt",
        1,
        (),
    ),
    "titanic": (
        'PassengerId,Survived,Name,Age,Cabin\n1,0,"Braund, Mr. Owen",22,\n2,1,"Heikkinen, Miss. L ""Lu""",,C85\n',
        "nntnt",
        2,
        (),
    ),
    "abalone": ("M,0.455,0.365,15\nF,0.53,0.42,9\nI,0.33,0.255,7\n", "tnnn", 0, ()),
    "auto-mpg": (
        '18.0   8   307.0      130.0      70  1\t"chevrolet malibu"\n25.0   4   98.00    ?  71  1\t"ford pinto"\n',
        "nnnnnnt",
        1,
        ("separated by blanks",),
    ),
    "winequality": (
        '"fixed acidity";"pH";"quality"\n7.4;3.51;5\n7.8;3.2;6\n',
        "nnn",
        0,
        ("separated by semicolons",),
    ),
    "bank-full": (
        '"age";"job";"y"\n58;"management";"no"\n44;"technician";"yes"\n',
        "ntt",
        0,
        ("separated by semicolons",),
    ),
    "breast cancer": ("1000025,5,1,?,2\n1002945,5,4,10,2\n1015425,3,1,2,4\n", "nnnnn", 1, ()),
    "ionosphere": ("1,0,0.99539,-0.05889,g\n1,0,1,-0.18829,b\n", "nnnnt", 0, ()),
    "sonar": ("0.0200,0.0371,R\n0.0453,0.0523,M\n", "nnt", 0, ()),
    "housing": (" 0.00632  18.00   2.310  0\n 0.02731   0.00   7.070  0\n", "nnnn", 0, ("separated by blanks",)),
    "letters": ("T,2,8,3,5\nI,5,12,3,7\nD,4,11,6,8\n", "tnnnn", 0, ()),
    "mushroom": ("p,x,s,n\ne,x,s,y\ne,b,s,n\np,x,y,n\n", "tttt", 0, ()),
    "heart": ("age,sex,cp,target\n63,1,3,1\n37,1,2,0\n", "nnnn", 0, ()),
    "credit approval": ("b,30.83,0,u,+\na,58.67,4.46,?,-\n?,24.5,0.5,y,+\n", "tnntt", 2, ()),
    "german credit": ("A11 6 A34 1169 1\nA12 48 A32 5951 2\nA14 12 A34 20 1\n", "tntnn", 0, ("separated by blanks",)),
    "automobile": ("3,?,alfa-romero,gas,88.60\n2,164,audi,gas,99.80\n", "nnttn", 1, ()),
    "seeds": ("15.26\t14.84\t\t1\n14.88\t14.57\t2\n", "nnn", 0, ("separated by blanks",)),
    "pima": ("6,148,72,33.6,0.627,50,1\n1,85,66,26.6,0.351,31,0\n", "nnnnnnn", 0, ()),
    "spambase": ("0,0.64,0.64,278,1\n0.21,0.28,0.5,1028,0\n", "nnnnn", 0, ()),
    "air quality": (
        "Date;CO(GT);T;;\n10/03/2004;2,6;13,6;;\n11/03/2004;2;13,3;;\n",
        "tnn",
        0,
        (
            "separated by semicolons",
            "decimal commas",
            "column 5 is empty and left out",
            "column 4 is empty and left out",
        ),
    ),
    "churn": ("id_of,churned,plan\n7,True,a\n9,False,b\n8,True,a\n", "nbt", 0, ()),
    "votes": ("republican,n,y,?\ndemocrat,y,y,n\nrepublican,n,y,y\n", "tttt", 1, ()),
}


@pytest.mark.parametrize("name", AS_PUBLISHED)
def test_read_table_takes_tables_as_they_are_published(name: str, tmp_path: Path) -> None:
    """Every column is of its kind, missing cells are marked, what is unusual is said."""
    text, kinds, missing, notes = AS_PUBLISHED[name]
    (tmp_path / "t.data").write_text(text)
    table = read_table(tmp_path / "t.data", max_bytes=1 << 16)
    found = ["t" if column.words else "b" if column.values.dtype == np.bool_ else "n" for column in table.columns]
    assert "".join(found) == kinds
    assert sum(int(column.missing.sum()) for column in table.columns if column.missing is not None) == missing
    assert table.notes == notes


PEAK = """
import re, sys
def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) * 1024
import numpy, csv, npquant.data.readers.csv_table as own
before = peak()
if sys.argv[2] == "own":
    own.read_csv(sys.argv[1], max_bytes=1 << 30)
else:
    rows = [list(map(float, line.split(","))) for line in open(sys.argv[1]).read().splitlines()[1:]]
print(peak() - before)
"""


def peak(path: Path, who: str) -> int:
    """Read in a process of its own; how far its memory rises."""
    command = [sys.executable, "-c", PEAK, str(path), who]
    return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_read_csv_keeps_the_text_out_of_memory(tmp_path: Path) -> None:
    """Pixels of 12 MB take at most twice the file and 16 MiB; lists of numbers, the wrong way, take more."""
    rng = np.random.default_rng(0)
    lines = [",".join(map(str, row)) for row in rng.integers(0, 256, (200, 784)).tolist()] * 21
    path = tmp_path / "t.csv"
    path.write_text("\n".join([",".join(f"p{k}" for k in range(784)), *lines]))
    limit = 2 * path.stat().st_size + (16 << 20)
    assert peak(path, "own") <= limit < peak(path, "lists")
