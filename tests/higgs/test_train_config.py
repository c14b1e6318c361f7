import pytest

from harness.errors import DataError
from harness.higgs.train_config import TrainConfig, read_config

LEAST = {
    "stack": "native",
    "model": "native",
    "codec": "codec",
    "manifest": "recordings/manifest.jsonl",
    "output": "run",
}


@pytest.fixture
def write(tmp_path):
    def written(text="", **fields):
        path = tmp_path / "train.yaml"
        lines = [f"{name}: {value}" for name, value in {**LEAST, **fields}.items() if value is not None]
        path.write_text("\n".join(lines) + "\n" + text)
        return path

    return written


def test_defaults(write, tmp_path):
    config = read_config(write())
    assert (config.stack, config.method, config.steps, config.batch_size) == ("native", "lora", 1000, 4)
    assert config.lora.targets == ("self_attn.q_proj", "self_attn.v_proj", "audio_mlp.gate_proj", "audio_mlp.up_proj",
                                   "audio_mlp.down_proj")  # fmt: skip
    assert config.lora.heads == ()
    assert TrainConfig.model_validate(config.model_dump(mode="json")) == config


def test_paths_are_relative_to_the_file(write, tmp_path, monkeypatch):
    (tmp_path / "native").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    config = read_config(write(codec="a-user/a-codec"))
    assert config.model == str(tmp_path / "native")
    assert config.codec == "a-user/a-codec"  # not a folder, so it is kept as a hub name
    assert config.manifest == str(tmp_path / "recordings" / "manifest.jsonl")
    assert config.output == str(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere" / "x.yaml").write_text((tmp_path / "train.yaml").read_text().replace(": run", ": /run"))
    from pathlib import Path

    assert read_config(Path("elsewhere/x.yaml")).output == "/run"
    assert read_config(Path("elsewhere/x.yaml")).manifest == str(elsewhere / "recordings" / "manifest.jsonl")


def test_options_override_the_file(write):
    assert read_config(write(steps=7), steps=3, output="/other").model_dump(include={"steps", "output"}) == {
        "steps": 3, "output": "/other",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"speed": 1}, r"field 'speed': Extra inputs are not permitted \(settings are: stack, model, .*, seed\)"),
        ({"lora": "{ranks: 8}"}, r"field 'lora\.ranks': Extra inputs are not permitted"),
        ({"lora": "{rank: 0}"}, r"field 'lora\.rank': Input should be greater than or equal to 1"),
        ({"lora": "{targets: []}"}, r"field 'lora\.targets': .* at least 1 item"),
        ({"manifest": None}, "field 'manifest' is missing"),
        ({"stack": "tensorflow"}, "field 'stack': Input should be 'native' or 'boson'"),
        ({"steps": 0}, "field 'steps': Input should be greater than or equal to 1"),
        ({"steps": 1.5}, "field 'steps': Input should be a valid integer"),
        ({"codec": '"a\\0b"'}, "codec: a file name cannot contain a null character"),
        ({"batch_size": 4, "accumulate": 3}, "batch_size 4 cannot be divided into 3 micro-batches"),
        ({"stack": "boson", "gradient_checkpointing": "true"}, "gradient_checkpointing: boson_multimodal.*use stack: native"),
    ],
)  # fmt: skip
def test_a_bad_setting_is_named(write, fields, said):
    path = write(**fields)
    with pytest.raises(DataError, match=said) as caught:
        read_config(path)
    assert caught.value.path == str(path)
    assert "\n" not in str(caught.value)


def test_bad_options_are_refused_too(write):
    assert read_config(write(gradient_checkpointing="true")).gradient_checkpointing
    with pytest.raises(DataError, match="steps"):
        read_config(write(), steps=0)


def test_files_without_settings_are_refused(write, tmp_path):
    with pytest.raises(DataError, match="not YAML") as caught:
        read_config(write("a: [1"))
    assert caught.value.line is not None and caught.value.line >= 6
    for text in ("- a\n", "", "native\n"):
        (tmp_path / "other.yaml").write_text(text)
        with pytest.raises(DataError, match="not a mapping of settings"):
            read_config(tmp_path / "other.yaml")
    (tmp_path / "other.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not UTF-8"):
        read_config(tmp_path / "other.yaml")
    with pytest.raises(DataError, match="cannot be read"):
        read_config(tmp_path / "nowhere.yaml")
