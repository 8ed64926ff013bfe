"""The report in a real browser: on a phone, on a screen, in the dark and on paper."""

import base64
import json
import os
import re
import shutil

import numpy as np
import pytest
from builders import PATIENCE

from wsstools.formats.image_files import encode_jpeg
from wsstools.formats.studies.results import decode_study
from wsstools.view.report.page import report_page
from wsstools.view.report.sheets import Pictures, Sheets, sheet_plans

webdriver = pytest.importorskip("selenium.webdriver")
WebDriverException = pytest.importorskip("selenium.common").WebDriverException
WebDriverWait = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,  # it starts a browser
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed"
    ),
]
SWITCHES = (
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
STRATEGIES = ("local", "a strategy whose name is far too long for its place", "combined + Potts")
CLASSES = ("sky", "building", "pole", "pavement of a pedestrian precinct", "人行道")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    profile = f"--user-data-dir={tmp_path_factory.mktemp('profile')}"
    for switch in (*SWITCHES, *root, profile):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    try:
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    except WebDriverException as error:
        pytest.skip(f"chromium does not start here: {error.msg}")
    driver.set_page_load_timeout(PATIENCE)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with all that a page can have."""
    study = decode_study(json.dumps(study_values()).encode(), "made up")
    plans = sheet_plans(study, 2)
    rng = np.random.default_rng(0)
    columns, found = ["image", "ground truth"], {}
    for plan in plans:
        for stem in plan.stems:
            for column in (*columns, *plan.folders):
                picture = rng.integers(0, 255, (60, 80, 3)).astype(np.uint8)
                found[plan.key.group, stem, column] = encode_jpeg(picture)
    found.pop(next(iter(found)))
    pictures = Pictures(found, columns, [("sky", (128, 0, 0))])
    place = tmp_path_factory.mktemp("page") / "report.html"
    place.write_text(report_page(study, Sheets(plans, pictures), title="A report"))
    return place


def study_values():
    """What eval-gap --json could print of two networks with three strategies each."""
    rng = np.random.default_rng(0)
    names = ("full", "baseline", *STRATEGIES)
    rows, labels, differences = [], [], []
    for group in ("resnet101", "resnet101, several scales and CRF"):
        for name in names:
            miou = {"full": 0.7, "baseline": 0.55}.get(name, float(rng.uniform(0.55, 0.7)))
            part = {"miou": miou, "std": 0.004, "interval": [miou - 0.03, miou + 0.02]}
            part["iou"] = {one: float(rng.uniform(0.2, 0.9)) for one in CLASSES}
            reduction = (miou - 0.55) / 0.15
            row = {"group": group, "name": name, "miou": miou, "val": part, "gap": 0.7 - miou}
            row |= {"reduction": reduction, "reduction_interval": [reduction - 0.2, None]}
            row["pfa"] = None if name in names[:2] else {"miou": miou + 0.1}
            row["bands"] = {str(w): {"miou": miou - 0.2 / w} for w in (1, 2, 4, 8)}
            rows.append(row)
            images = {
                f"image-{k:03d}": {"miou": 0.5, "pixel_accuracy": float(rng.uniform(0.6, 0.95))}
                for k in range(40)
            }
            record = {"kind": "labels", "stem": "x", "step": "argmax", "version": "0.1.0"}
            record |= {"options": {"min_prob": 0.0}, "inputs": []}
            for _ in range(6):
                inner = {"role": "map", "name": "x" * 60, "blake2b": "0" * 32, "made_by": record}
                options = {"option_number_one": 1.5, "text": "y" * 80}
                record = {**record, "inputs": [inner], "options": options}
            facts = {"classes": ", ".join(map(str, range(60)))}
            first = {"file": "f" * 90, "what": "labels", "facts": facts, "meta": record}
            folder = {"folder": "/a/" + "long/" * 20, "first": first, "images": images}
            labels.append({"group": group, "name": name, "val": [folder], "pfa": [], "train": []})
        for name in STRATEGIES[:2]:
            one = {"group": group, "name": name, "difference": -0.03, "interval": [-0.05, 0.01]}
            one |= {"against": {"group": group, "name": STRATEGIES[2]}, "better_share": 0.2}
            differences.append(one)
    slip = {"computed": -0.864, "possible": [-0.9, -0.8], "is_rounding": False}
    rows[2] |= {"printed_reduction": -0.704, "slip": slip}
    stems = [f"image-{k:03d}" for k in range(40)]
    return {
        "rows": rows,
        "differences": differences,
        "images": {"val": stems, "train": stems},
        "bootstrap": {"resamples": 100, "seed": 0, "level": 0.95},
        "bands": {"widths": [1, 2, 4, 8], "void_is_border": True},
        "classes": list(CLASSES),
        "labels": labels,
    }


def show(browser, page, width, scheme="light", media=""):
    """Open the page in a window of that width."""
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    for log in ("performance", "browser"):
        browser.get_log(log)  # what was before does not count
    browser.get(page.as_uri())
    # On a busy machine a script may still meet the page before, or one that is half there.
    is_there = "return document.readyState === 'complete' && !document.hasBeenShown"
    WebDriverWait(browser, PATIENCE).until(lambda b: b.execute_script(is_there))
    browser.execute_script("document.hasBeenShown = true")


def asked_for(browser):
    """The addresses that the page made the browser ask for."""
    found = []
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            found.append(message["params"]["request"]["url"])
    return found


@pytest.mark.parametrize("width", [360, 1280])
def test_page_fits(browser, page, width):
    show(browser, page, width)
    for fold in ("", "document.querySelectorAll('details').forEach(d => d.open = true);"):
        inner, wide = browser.execute_script(
            f"{fold} return [innerWidth, document.documentElement.scrollWidth]"
        )
        assert inner == width
        assert wide <= width
    images = browser.execute_script(
        "return [...document.images].map(i => [i.complete, i.naturalWidth])"
    )
    assert len(images) == 2 * 4 * 5 - 1
    assert all(complete and natural == 80 for complete, natural in images)
    # Nothing but wide tables, which scroll in their own box, reaches out of the page.
    out = browser.execute_script(
        """return [...document.querySelectorAll('body *')].filter(e =>
             !e.closest('.scroll') && e.getBoundingClientRect().right > innerWidth + 0.5)
             .map(e => e.outerHTML.slice(0, 80))"""
    )
    assert out == []


def test_gap_and_reduction_are_seen_first_on_a_phone(browser, page):
    """On 360 x 640, in every group's own order, without scrolling and before other texts."""
    show(browser, page, 360)
    found = browser.execute_script(
        """return [...document.querySelectorAll('.key')].map(e => [
             e.innerText.replace(/\\s+/g, ' '), e.getBoundingClientRect().bottom + scrollY])"""
    )
    study = decode_study(json.dumps(study_values()).encode(), "made up")
    (first, bottom), *_ = found
    full, baseline = (
        next(row for row in study.rows if row.key.name == name) for name in ("full", "baseline")
    )
    gap = 100 * (full.val.mean_iou - baseline.val.mean_iou)
    assert f"gap {gap:.1f} points" in first
    assert re.search(r"reduction by .+ -?[\d.]+ %", first)
    assert bottom < 640


def test_words_are_explained_before_they_head_a_column(browser, page):
    show(browser, page, 360)
    words, table, columns = browser.execute_script(
        """const table = document.querySelector('#gap table');
           return [document.querySelector('.words').getBoundingClientRect().bottom,
                   table.getBoundingClientRect().top,
                   [...table.querySelectorAll('thead th')].map(e => e.textContent)]"""
    )
    assert words < table
    explained = browser.execute_script("return document.querySelector('.words').textContent")
    for column in columns:
        assert column in explained


def test_figures_are_numbered_as_they_come(browser, page):
    show(browser, page, 1280)
    text = browser.execute_script("return document.body.textContent")
    numbers = [int(number) for number in re.findall(r"Fig\. (\d+)\. ", text)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 5


@pytest.mark.parametrize("width", [360, 1280])
def test_texts_lie_in_their_plots(browser, page, width):
    show(browser, page, width)
    count, out = browser.execute_script(
        """let n = 0, out = [];
           for (const svg of document.querySelectorAll('svg')) {
             const b = svg.getBoundingClientRect();
             for (const text of svg.querySelectorAll('text')) {
               const t = text.getBoundingClientRect(); n++;
               if (t.left < b.left - 1 || t.right > b.right + 1 ||
                   t.top < b.top - 1 || t.bottom > b.bottom + 1) out.push(text.textContent);
             }
           }
           return [n, out]"""
    )
    assert count > 150
    assert out == []


def test_names_do_not_overlap(browser, page):
    """Names of dots are beside each other, names of classes one below the other."""
    show(browser, page, 1280)
    pairs = browser.execute_script(
        """let out = [];
           for (const svg of document.querySelectorAll('svg')) {
             const texts = [...svg.querySelectorAll('text')].filter(t => !t.hasAttribute('transform'))
               .map(t => [t.textContent, t.getBoundingClientRect()]);
             texts.forEach(([a, r], i) => texts.slice(i + 1).forEach(([b, s]) => {
               const w = Math.min(r.right, s.right) - Math.max(r.left, s.left);
               const h = Math.min(r.bottom, s.bottom) - Math.max(r.top, s.top);
               if (w > 2 && h > 4) out.push([a, b, w, h]);
             }));
           }
           return out"""
    )
    assert pairs == []


def test_page_asks_for_nothing(browser, page):
    show(browser, page, 1280)
    browser.execute_script("return document.images.length")
    asked = [url for url in asked_for(browser) if not url.startswith("data:")]
    assert asked == [page.as_uri()]
    complaints = [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_read(browser, page, scheme):
    """Text has a contrast of 4.5 or more (WCAG 2.1, 1.4.3) in light and dark."""
    show(browser, page, 1280, scheme)
    paper, inks = browser.execute_script(
        """const c = e => getComputedStyle(e);
           const texts = [...document.querySelectorAll('p,h1,h2,h3,h4,a,td,th,figcaption,code,dt')];
           const plots = [...document.querySelectorAll('svg text')];
           return [c(document.body).backgroundColor, [...new Set([...texts.map(e => c(e).color),
             ...plots.map(e => c(e).fill)])]]"""
    )
    light = luminance(paper)
    assert (light > 0.9) if scheme == "light" else (light < 0.05)
    assert len(inks) >= 3
    for ink in inks:
        bright, dark = sorted((luminance(ink), light), reverse=True)
        assert (bright + 0.05) / (dark + 0.05) >= 4.5, ink


def luminance(colour):
    """Relative luminance of `rgb(r, g, b)` (WCAG 2.1)."""
    values = np.array([int(v) for v in re.findall(r"\d+", colour)[:3]]) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_page_prints(browser, page):
    show(browser, page, 1280, "dark")
    folded = "return [...document.querySelectorAll('details p')].some(p => p.checkVisibility())"
    assert not browser.execute_script(folded)
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    data = base64.b64decode(printed["data"])
    assert data.startswith(b"%PDF")
    counts = [int(n) for n in re.findall(rb"/Type\s*/Pages\b[^>]*?/Count\s+(\d+)", data)]
    assert counts and max(counts) > 2


def test_paper_is_white_and_whole(browser, page):
    show(browser, page, 1280, "dark", "print")
    paper, ink = browser.execute_script(
        "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]"
    )
    assert luminance(paper) > 0.9 and luminance(ink) < 0.05
    hidden = "return [...document.querySelectorAll('details p')].filter(p => !p.checkVisibility())"
    assert browser.execute_script(hidden) == []


def test_folds_open_for_browsers_that_print_them_folded(browser, page):
    show(browser, page, 1280)
    folded = "return document.querySelectorAll('details:not([open])').length"
    assert browser.execute_script(folded) == 10
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert browser.execute_script(folded) == 0
