"""Pages without a browser: their numbers, what they warn of, and what they refuse."""

import base64
import csv
import html.parser
import io
import json
import re

import numpy as np
import pytest
import run_folders
from PIL import Image

from mgdm_jax import figures, metrics
from mgdm_jax.report import curve, finished, page, paired, shown

HOSTILE = (
    """</script><script>alert('x')</script>"><img src=http://e.vil/ onerror=a()>"""
)
VOID = {"meta", "link", "img", "input", "br", "line", "polygon", "polyline"}


class Parsed(html.parser.HTMLParser):
    """Elements with their attributes, and the text of tables by their id."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.tables, self.table = [], [], {}, None
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.table = self.tables.setdefault(dict(attrs).get("id"), [])
        if tag == "tr":
            self.table.append([])
        if tag in ("td", "th"):
            self.table[-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.table and self.open[-1] in ("td", "th", "button", "strong"):
            self.table[-1][-1] += data

    def of(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def render(*folders):
    text = page.render([finished.read(folder) for folder in folders])
    return text, Parsed(text)


def decoded(uri):
    kind, _, content = uri.partition(",")
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_nothing_is_asked_of_anybody(tmp_path):
    run_folders.write(tmp_path / "a", samples=True)
    text, parsed = render(tmp_path / "a")
    text = re.sub('base64,[^"]*', "", text)
    assert not re.search(r"""(https?:)?//[a-z]|url\(|@import|fetch\(|XMLHttp""", text)
    for _, attrs in parsed.elements:
        for name in ("src", "href"):
            assert attrs.get(name, "#").startswith(("data:", "#"))
    policies = [a["content"] for a in parsed.of("meta") if "http-equiv" in a]
    assert policies and policies[0].startswith("default-src 'none'; img-src data:;")


def test_its_numbers_are_those_of_the_files(tmp_path):
    folder = tmp_path / "a"
    run_folders.write(folder)
    facts = json.loads((folder / "metrics.json").read_text())
    _, parsed = render(folder)
    head, baseline, ours = parsed.tables["summary"]
    row = dict(zip(head, ours, strict=True))
    assert row["Method"] == "mgdm" and row["Diverged"] == "0"
    assert row["PSNR / dB"] == f"{facts['psnr_mean']:.2f}"
    assert row["SSIM"] == f"{facts['ssim_mean']:.4f}"
    assert row["Data residual"] == f"{facts['data_residual_mean']:.2e}"
    assert baseline[:2] == ["Zero-filled", f"{facts['baseline_psnr_mean']:.2f}"]
    assert parsed.tables["conventions"][1][:3] == ["mgdm", "volume-max", "0.50"]
    with (folder / "metrics.csv").open() as file:
        wanted = list(csv.DictReader(file))
    rows = parsed.tables["each"][2:]
    assert len(rows) == len(wanted) == 4
    for cells, want in zip(rows, wanted, strict=True):
        assert cells[0] == want["image"]
        assert cells[1] == f"{float(want['baseline_psnr']):.2f}"
        assert cells[3:5] == [
            f"{float(want['psnr']):.2f}",
            f"{float(want['ssim']):.4f}",
        ]


def test_what_is_no_number_is_shown_as_such(tmp_path):
    facts = {"psnr_mean": None, "prox_gap_max": float("inf")}
    run_folders.write(tmp_path / "a", facts=facts)
    _, parsed = render(tmp_path / "a")
    head, _, ours = parsed.tables["summary"]
    row = dict(zip(head, ours, strict=True))
    assert row["PSNR / dB"] == "\N{EN DASH}" and row["Proximal gap, worst"] == "∞"


def test_names_of_a_user_stay_text(tmp_path):
    folder = tmp_path / "<b>a"
    facts = {"data": HOSTILE, "simulated": HOSTILE, "method": HOSTILE}
    run_folders.write(
        folder, facts=facts, config={"name": HOSTILE, "data.path": HOSTILE}
    )
    (folder / "environment.json").write_text(json.dumps({HOSTILE: HOSTILE}))
    text, parsed = render(folder)
    run_folders.write(tmp_path / "plain")
    _, usual = render(tmp_path / "plain")
    assert HOSTILE not in text and "<b>a" not in text
    assert len(parsed.of("script")) == len(usual.of("script")) == 2
    assert len(parsed.of("img")) == len(usual.of("img"))
    stored = re.search(r'id="viewer-data">(.*?)</script>', text, re.DOTALL)
    assert json.loads(stored[1])["pictures"][2]["label"] == HOSTILE


def test_warnings_say_what_matters(tmp_path):
    run_folders.write(tmp_path / "a", n=3, diverged=(1,), facts={"simulated": "coils"})
    text, parsed = render(tmp_path / "a")
    for words in ("1 image diverged", "By index: 1.", "Effective acceleration is 2.3"):
        assert words in text
    assert "embedded sample, slices of one person" in text
    assert "Coil sensitivities are simulated" in text
    assert [row[0] for row in parsed.tables["each"][2:]] == ["0", "1 diverged", "2"]
    quiet = {
        "effective_acceleration": 4.0,
        "data": "a.h5",
        "simulated": "nothing known",
    }
    run_folders.write(tmp_path / "b", facts=quiet)
    assert "Keep in mind" not in render(tmp_path / "b")[0]


def test_of_many_images_the_first_the_worst_and_the_best_are_shown(tmp_path):
    run_folders.write(tmp_path / "a", n=40, diverged=(20,))
    run = finished.read(tmp_path / "a")
    choice = shown.choose(run)
    assert choice.indices[:4] == [0, 1, 2, 3] and "first 4" in choice.note
    order = np.argsort(run.scores["psnr"])
    reasons = dict(zip(choice.indices, choice.reasons, strict=True))
    assert reasons[20] == "worst" and order[0] == 20
    assert all("worst" in reasons[int(i)] for i in order[:4])
    assert all("best" in reasons[int(i)] for i in order[-4:])
    _, parsed = render(tmp_path / "a")
    n_pictures = 2 + 1 + 2 + 1
    assert len(parsed.of("img")) == len(choice.indices) * n_pictures + len(run.strip)
    assert len(parsed.tables["each"]) == 42


def test_a_blank_slice_is_neither_worst_nor_best(tmp_path):
    run_folders.write(tmp_path / "a", n=40)
    run = finished.read(tmp_path / "a")
    run.scores["psnr"][[7, 8]] = -np.inf, np.inf
    assert not {7, 8} & set(shown.choose(run).indices)


def test_images_in_8_bits(tmp_path):
    run_folders.write(tmp_path / "a", stacks={"scale": np.full(4, 2.0, np.float32)})
    run = finished.read(tmp_path / "a")
    pictures = {p.key: p for p in shown.pictures([run], ["mgdm"], [1, 3])}
    truth = run_folders.phantom(4) / 2
    low, high = shown.value_range([run])
    assert (low, high) == (0, pytest.approx(truth.max()))
    values = np.asarray(decoded(pictures["reference"].uris[1]))
    np.testing.assert_allclose(values / 255 * high, truth[3], atol=high / 500)
    error = pictures["error-method0"]
    stored = decoded(error.uris[0])
    assert stored.mode == "P"
    want = np.abs(run.images["reconstruction"][1] - truth[1])
    colours = np.frombuffer(figures.palette(), np.uint8).reshape(256, 3)
    assert len(np.unique(colours, axis=0)) == 256  # the page reads values from them
    shades = np.asarray(stored.convert("RGB"), int)[..., None, :] - colours.astype(int)
    found = np.abs(shades).sum(-1).argmin(-1) / 255 * error.high
    np.testing.assert_allclose(found, want, atol=error.high / 500)


def test_ct_is_in_hounsfield_units(tmp_path):
    run_folders.write(tmp_path / "a", kind="ct")
    run = finished.read(tmp_path / "a")
    assert shown.value_range([run]) == (-1024, 1024)
    (error,) = [
        p for p in shown.pictures([run], ["x"], [0]) if p.key == "error-method0"
    ]
    reference, image = run.images["reference"], run.images["reconstruction"]
    assert error.high == pytest.approx(2048 * np.abs(image - reference).max(), rel=1e-5)
    assert '"Lung": [-600, 1500]' in render(tmp_path / "a")[0]


def test_a_diverged_image_does_not_dim_the_errors_of_others(tmp_path):
    run_folders.write(tmp_path / "a", diverged=(0,))
    run = finished.read(tmp_path / "a")
    (error,) = [
        p for p in shown.pictures([run], ["x"], [0]) if p.key == "error-method0"
    ]
    assert error.high < 0.3


def test_without_a_reference_there_are_no_errors(tmp_path):
    run_folders.write(tmp_path / "a", reference=False)
    text, parsed = render(tmp_path / "a")
    assert "Error of" not in text and "PSNR" not in text
    assert parsed.tables["each"][1] == ["Image", "Data residual"]


def test_the_curve_leaves_out_what_is_no_number(tmp_path):
    residual = np.full((2, 3), 0.1)
    residual[0] = np.nan, 0, np.inf
    drawn = curve.draw(["a"], [residual])
    assert drawn.rows[1].values == [(0.1, 0.1, 0.1)]
    assert "nan" not in drawn.lines[0].median
    assert curve.draw(["a"], [np.zeros((2, 3))]) is None
    assert (
        curve.draw(["a", "b"], [residual, residual[:, :1]]).rows[-1].values[1] is None
    )


def test_of_thousands_of_steps_some_hundred_are_drawn():
    drawn = curve.draw(["a"], [np.geomspace(1, 1e-6, 3000)[None]])
    assert len(drawn.lines[0].median.split()) == curve.MOST_POINTS
    assert drawn.y_ticks[0].text == "1e-6"


def test_methods_side_by_side_with_paired_differences(tmp_path):
    for i, (name, error) in enumerate((("mgdm", 0.02), ("ddnm", 0.05))):
        run_folders.write(tmp_path / name, name, n=10, error=error, seed=i)
    text, parsed = render(tmp_path / "mgdm", tmp_path / "ddnm")
    one, two = (finished.read(tmp_path / name) for name in ("mgdm", "ddnm"))
    gap = two.scores["psnr"] - one.scores["psnr"]
    row = parsed.tables["paired"][1]
    assert row[:3] == ["ddnm", "PSNR / dB", f"{gap.mean():+.4f}"]
    low, high = metrics.bootstrap_interval(gap, seed=0)
    assert row[3] == f"{low:+.4f} to {high:+.4f}" and row[4:] == ["10", "0"]
    head = parsed.tables["each"]
    assert head[0] == ["", "Zero-filled", "mgdm", "ddnm"]
    assert len(head[1]) == 1 + 2 + 4 + 4
    assert "error-method1" in text


def test_few_images_have_a_range_and_blank_ones_no_part(tmp_path):
    run_folders.write(tmp_path / "a", "a", n=5)
    run_folders.write(tmp_path / "b", "b", n=5, seed=1)
    one, two = (finished.read(tmp_path / name) for name in "ab")
    one.scores["psnr"][0] = two.scores["psnr"][0] = -np.inf
    found = paired.differences(one, two)[0]
    gap = two.scores["psnr"][1:] - one.scores["psnr"][1:]
    assert (found.n, found.low, found.high) == (4, gap.min(), gap.max())


def test_runs_of_one_method_are_told_apart(tmp_path):
    for name in ("x/a", "x/b", "y/b"):
        run_folders.write(tmp_path / name)
    names = page.labels([finished.read(tmp_path / n) for n in ("x/a", "x/b", "y/b")])
    assert names[0] == "mgdm · a" and len(set(names)) == 3
    assert names[2] == f"mgdm · {tmp_path / 'y/b'}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 5}, "holds 5x48x48 images, the other 4x48x48"),
        (
            {"config": {"task.noise_std": 0.1}},
            "task.noise_std is 0.1, the other's is 0",
        ),
        ({"config": {"task.mask_seed": 1}}, "task.mask_seed is 1"),
        ({"config": {"data.subject": "lung2"}}, "data.subject is 'lung2'"),
        ({"config": {"sampler.seed": 3}}, "sampler.seed is 3"),
        (
            {"stacks": {"reference": run_folders.phantom(4)[::-1]}},
            "references are other",
        ),
        ({"reference": False}, "references are other"),
        ({"stacks": {"baseline": 0.5 * run_folders.phantom(4)}}, "measurements differ"),
    ],
)
def test_what_is_no_pair_is_refused(options, message, tmp_path):
    run_folders.write(tmp_path / "a")
    run_folders.write(tmp_path / "b", "ddnm", **options)
    with pytest.raises(ValueError, match=message) as caught:
        render(tmp_path / "a", tmp_path / "b")
    assert "\n" not in str(caught.value) and "cannot be compared" in str(caught.value)
