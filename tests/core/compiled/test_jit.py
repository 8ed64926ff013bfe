"""Compiled functions: exact, and kept in the user's cache."""

import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import warnings

import numba
import numpy as np
import pytest
from numba.core.cpu import CPUContext

from wsstools.core.compiled import kept, private
from wsstools.core.compiled.jit import compiled, compiled_for_speed
from wsstools.errors import NotKeptWarning


@compiled
def less_product(a, b, c):
    """c - a b for each element."""
    out = np.empty_like(c)
    for i in range(len(c)):
        out[i] = c[i] - a[i] * b[i]
    return out


def test_a_compiled_product_is_rounded_before_it_is_subtracted():
    a, b = np.random.default_rng(0).uniform(1, 2, (2, 999)).astype(np.float32)
    assert (less_product(a, b, a * b) == 0).all()  # fused, most would be a rounding error


KEEPS = """
import numpy as np
from wsstools.core.potts.bounds import sharpen
soft = np.array([3, 1], np.float32)[:, None, None] * np.ones((2, 3, 3), np.float32)
sharpen(soft, np.float32(0.1))
print(soft[0, 0, 0])
print(sum(sharpen.stats.cache_hits.values()), sharpen.stats.cache_path)
"""


def run_alone(caches):
    """Two lines that a process prints which takes compiled code from a cache, and its warnings."""
    environment = dict(os.environ, XDG_CACHE_HOME=str(caches))
    environment.pop("NUMBA_CACHE_DIR", None)
    command = [sys.executable, "-c", KEEPS]
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=True)
    result, kept_where = done.stdout.splitlines()
    return result, *kept_where.split(), done.stderr


@pytest.mark.slow
def test_compiled_functions_are_kept_in_the_users_cache(tmp_path):
    result, hits, folder, _ = run_alone(tmp_path)
    assert hits == "0" and folder.startswith(str(tmp_path / "wsstools" / "numba"))
    assert run_alone(tmp_path) == (result, "1", folder, "")


SOURCE = """
from wsstools.core.compiled.jit import compiled

@compiled
def answer(value):
    return value + {0}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache of our own, and no private folder yet."""
    monkeypatch.setitem(vars(numba.config), "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(private, "_folders", [tmp_path / "private"])
    return tmp_path / "cache"


def loaded(file):
    """The function of a module, as a new process that knows no .pyc has it."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    exec(compile(file.read_text(), file, "exec"), vars(module))
    return module.answer


def hits(function):
    return sum(function.stats.cache_hits.values())


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def write(path, text):
    path.write_text(text)
    os.utime(path, (0, 0))  # as in reproducible images


def test_code_of_another_source_is_not_used(folder, tmp_path):
    module = tmp_path / "module.py"
    for number, n_hits in ((1, 0), (1, 1), (2, 0), (1, 1)):
        write(module, SOURCE.format(number))
        function = loaded(module)
        assert (function(1), hits(function)) == (1 + number, n_hits)


def test_code_of_another_number_or_callee_is_not_used(folder, tmp_path):
    """Neither shows in the function itself, nor in the size or time of a file."""
    other, module = tmp_path / "numbers_of_test.py", tmp_path / "module.py"
    called = "from numbers_of_test import ONE\n" + SOURCE.format("inner() + ONE")
    called += "@compiled\ndef inner():\n    return {0}\n"
    for one, inner in ((1, 10), (2, 10), (2, 20)):
        write(other, f"ONE = {one}\n")
        write(module, called.format(inner))
        names = {"ONE": one}
        sys.modules["numbers_of_test"] = type("Module", (), names)
        try:
            assert loaded(module)(0) == one + inner
        finally:
            del sys.modules["numbers_of_test"]


def test_code_of_other_flags_is_not_used(folder):
    def inverse(value):
        return 1 / value

    exact, fast = compiled(inverse), compiled_for_speed(inverse)
    assert exact.stats.cache_path != fast.stats.cache_path
    exact(3.0), fast(3.0)
    assert hits(fast) == 0
    assert len(files(folder)) == 2


def adder(number):
    @compiled
    def add(value):
        return value + number

    return add


def test_code_that_holds_numbers_of_a_call_is_kept_for_each(folder):
    assert (adder(1)(1), adder(2)(1)) == (2, 3)
    for number, found in ((1, 2), (2, 3), (True, 2)):
        again = adder(number)
        assert (again(1), hits(again)) == (found, 0 if number is True else 1)


def test_code_that_holds_other_variables_of_a_call_is_not_kept(folder):
    def twice(function):
        @compiled
        def both(value):
            return function(function(value))

        return both

    assert (twice(adder(1))(1), twice(adder(2))(1)) == (3, 5)
    assert {file.name.partition("-")[0] for file in files(folder)} == {"add"}


def test_code_of_another_state_of_the_decorators_is_not_used(folder, tmp_path, monkeypatch):
    write(tmp_path / "module.py", SOURCE.format(1))
    loaded(tmp_path / "module.py")(1)
    monkeypatch.setattr(kept, "_content_of_this_folder", lambda: ("another",))
    again = loaded(tmp_path / "module.py")
    assert (again(1), hits(again)) == (2, 0)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes()[:-1] + b"?"),
        lambda path: path.write_bytes(b"garbage" * 99),
    ],
    ids=["empty", "truncated", "flipped", "garbage"],
)
def test_damaged_files_are_replaced(folder, tmp_path, damage):
    write(tmp_path / "module.py", SOURCE.format(1))
    loaded(tmp_path / "module.py")(1)
    (file,) = files(folder)
    whole = len(file.read_bytes())
    damage(file)
    again = loaded(tmp_path / "module.py")
    assert (again(1), hits(again)) == (2, 0)
    assert len(file.read_bytes()) == whole
    after = loaded(tmp_path / "module.py")
    assert (after(1), hits(after)) == (2, 1)


def file_for_folder(folder):
    shutil.rmtree(folder)
    folder.touch()


def folder_for_file(folder):
    (file,) = files(folder)
    file.unlink()
    (file / "something").mkdir(parents=True)


@pytest.mark.parametrize("damage", [file_for_folder, folder_for_file])
def test_a_folder_that_takes_no_file_is_replaced_by_one_of_the_run(folder, tmp_path, damage):
    write(tmp_path / "module.py", SOURCE.format(1))
    loaded(tmp_path / "module.py")(1)
    damage(folder)
    with pytest.warns(NotKeptWarning) as said:
        assert loaded(tmp_path / "module.py")(1) == 2
    assert str(folder) in str(said[0].message) and "delete it" in str(said[0].message)
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o700
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = loaded(tmp_path / "module.py")  # as a worker of the run has it
        assert (again(1), hits(again)) == (2, 1)
        assert loaded(tmp_path / "module.py")(1.5) == 2.5  # that is said once


def test_where_nothing_can_be_written_code_stays_in_memory(folder, tmp_path, monkeypatch):
    folder.touch()
    monkeypatch.setattr(private, "_folders", [folder / "none"])
    write(tmp_path / "module.py", SOURCE.format(1))
    assert loaded(tmp_path / "module.py")(1) == 2


def test_a_private_folder_that_others_can_write_to_is_not_used(folder, tmp_path):
    folder.touch()
    (tmp_path / "private").mkdir()
    (tmp_path / "private").chmod(0o777)
    write(tmp_path / "module.py", SOURCE.format(1))
    assert loaded(tmp_path / "module.py")(1) == 2
    assert files(tmp_path / "private") == []


@pytest.mark.slow
def test_the_folder_of_a_run_goes_with_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "a file").touch()
    *_, said = run_alone(tmp_path / "a file")
    assert said.count("compiled code cannot be kept") == 1
    assert os.listdir(tmp_path) == ["a file"]


@pytest.mark.slow
@pytest.mark.parametrize("words", ["regularize maps --potts --images images -o out", "argmax maps"])
def test_without_a_compiler_a_command_says_so_or_works(words, dataset, tmp_path):
    command = [sys.executable, "-m", "wsstools", *words.split()]
    if "-o" not in command:
        command += ["-o", str(tmp_path / "labels")]
    done = subprocess.run(
        command,
        cwd=dataset,
        env=dict(os.environ, NUMBA_DISABLE_JIT="1"),
        text=True,
        capture_output=True,
        check=False,
    )
    if "argmax" in words:
        assert done.returncode == 0 and len(os.listdir(tmp_path / "labels")) == 4
    else:
        assert done.returncode == 2
        assert done.stderr == (
            "wss regularize: error: NUMBA_DISABLE_JIT is set, but this needs compiled code; unset it\n"
        )


LOADS = """
import sys
import numpy as np
from wsstools.core.compiled.jit import compiled

@compiled
def shares(values):
    return values / values.sum()  # a new array

@compiled
def product(left, right):
    return np.dot(left, right)  # by BLAS

print(shares(np.arange(5.0)).tolist(), product(np.eye(2), np.ones(2)).tolist())
print([sum(one.stats.cache_hits.values()) for one in (shares, product)])
print("numba.np.npyimpl" in sys.modules)
"""


@pytest.mark.slow
def test_kept_code_is_loaded_without_what_the_compiler_needs(tmp_path):
    (tmp_path / "loads.py").write_text(LOADS)
    environment = dict(os.environ, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    for n_hits in (0, 1):
        done = subprocess.run(
            [sys.executable, "loads.py"], cwd=tmp_path, env=environment, text=True,
            capture_output=True, check=True,
        )  # fmt: skip
        values, found, has_compiled = done.stdout.splitlines()
        assert values == "[0.0, 0.1, 0.2, 0.3, 0.4] [1.0, 1.0]"
        assert found == f"[{n_hits}, {n_hits}]" and has_compiled == str(n_hits == 0)
    assert not list((tmp_path / "cache").rglob("*.lock"))


@pytest.mark.parametrize("called", [["malloc"], ["malloc", "no_such_function_of_numba"]])
def test_where_a_called_function_is_missing_numbas_modules_are_loaded(
    folder, tmp_path, monkeypatch, called
):
    """LLVM ends the process where a function is missing when the code is loaded."""
    write(tmp_path / "module.py", SOURCE.format(1))
    monkeypatch.setattr(kept, "_called", lambda library: called)
    loaded(tmp_path / "module.py")(1)
    refreshed = []
    monkeypatch.setattr(CPUContext, "refresh", lambda context: refreshed.append(context))
    again = loaded(tmp_path / "module.py")
    assert (again(1), hits(again)) == (2, 1)
    assert len(refreshed) == len(called) - 1
