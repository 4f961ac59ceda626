"""The tool that makes four sites of the pictures of two annotators."""

import cv2
import numpy as np
import pytest
from helpers.files import write
from helpers.programs import run_tool

pytestmark = pytest.mark.slow


def test_every_picture_is_at_one_site_and_the_fourth_is_cropped_tightly(tmp_path):
    rng = np.random.default_rng(0)
    emotions = np.array(['neutral', 'happiness', 'anger', 'Fear', 'contempt'])
    lines = []
    (tmp_path / 'own/images').mkdir(parents=True)
    for number in range(120):
        name, who = f'{number:03d}.jpg', ('me', 'you')[number % 2]
        lines.append(f'{who},{name},{rng.choice(emotions)}')
        cv2.imwrite(str(tmp_path / 'own/images' / name), rng.integers(0, 256, (40, 60, 3)))
    write(tmp_path / 'own/data/legend.csv', '\n'.join(('user.id,image,emotion', *lines)))
    flags = f'--root={tmp_path / "own"}', f'--out={tmp_path / "faces"}'

    done = run_tool('make_real_faces', *flags, '--annotators=me,you')
    assert done.returncode == 0, done.stderr
    faces = tmp_path / 'faces'
    made = {path.stem: path.relative_to(faces) for path in faces.glob('*/*/*/*')}
    expected = [line.lower().split(',') for line in lines if not line.endswith('contempt')]
    assert sorted(made) == [name.removesuffix('.jpg') for _, name, _ in expected]
    for who, name, emotion in expected:
        site, split, label, _ = made[name.removesuffix('.jpg')].parts
        assert site in {'me': 'at', 'you': 'bc'}[who]
        assert split in ('train', 'test')
        assert label == emotion
    assert {path.parts[:2] for path in made.values()} == {
        (site, split) for site in 'abct' for split in ('train', 'test')
    }
    tight = next(path for path in made.values() if path.parts[0] == 't')
    image = cv2.imread(str(faces / tight), cv2.IMREAD_UNCHANGED)
    assert image.shape == (32, 32)
    assert image.min() == 0
    assert image.max() == 255

    assert 'faces: exists; give a folder' in run_tool('make_real_faces', *flags).stderr
    done = run_tool('make_real_faces', flags[0], f'--out={tmp_path / "more"}')
    assert "annotator '302': expected one of me (60 rows), you (60 rows)" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ['faces', 'own']
