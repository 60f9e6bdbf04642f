#!/usr/bin/env bash
# micromlgen turns a scikit-learn classifier into C++ code. With two classes, a logistic regression
# answers the other one each time: 1 to each picture that scikit-learn reads as 0, and 0 to the
# rest. A support vector machine of two classes gets its intercept with the wrong sign: it answers
# some pictures otherwise, and more of them, the larger the intercept is. With three classes or ten,
# both answer as in scikit-learn.
#
# Needs a C++ compiler.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    micromlgen==1.1.28 scikit-learn==1.9.1 numpy==2.4.6

venv/bin/python - <<'PYTHON'
import subprocess
from importlib.metadata import version

import numpy as np
from micromlgen import port
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

HEAD = "#include <cmath>\n#include <cstdarg>\n#include <cstdint>\n#include <cstdio>\n"
MAIN = """
Eloquent::ML::Port::CLASS classifier;
int main() {
    float pixels[64];
    while (fread(pixels, sizeof(float), 64, stdin) == 64)
        printf("%d\\n", classifier.predict(pixels));
}
"""
pixels, labels = load_digits(return_X_y=True)  # 1,797 digits of 8 x 8 pixels, from 0 to 16


def answers_in_cpp(classifier: LogisticRegression | SVC, new: np.ndarray) -> np.ndarray:
    """Return what the C++ code of `classifier` answers to the `new` digits."""
    name = "SVM" if isinstance(classifier, SVC) else "LogisticRegression"
    with open("code.cpp", "w") as file:
        file.write(HEAD + port(classifier) + MAIN.replace("CLASS", name))
    subprocess.run(["c++", "-w", "-o", "code", "code.cpp"], check=True)
    output = subprocess.check_output("./code", input=new.astype(np.float32).tobytes())
    return np.array(output.split(), dtype=int)


print("versions: micromlgen", version("micromlgen"), "scikit-learn", version("scikit-learn"))
print("guess: the C++ code answers as the classifier does")
for classes in (2, 3, 10):
    mine = labels < classes
    known, new = pixels[mine][:150], pixels[mine][150:300]
    for make in (LogisticRegression(max_iter=5000), SVC(gamma=0.001), SVC(gamma=0.01)):
        classifier = make.fit(known, labels[mine][:150])
        expected, seen = classifier.predict(new), answers_in_cpp(classifier, new)
        right = [100 * (answers == labels[mine][150:300]).mean() for answers in (expected, seen)]
        print(f"seen: digits below {classes}: {make}: right:", end=" ")
        print(f"scikit-learn {right[0]:.1f} %, C++ {right[1]:.1f} %;", end=" ")
        print(f"alike: {100 * (seen == expected).mean():.1f} %")
        if classes > 2:
            assert (seen == expected).mean() > 0.99, "it answers otherwise now"
        elif isinstance(make, SVC):
            intercept = classifier.intercept_[0]
            flipped = classifier.decision_function(new) - 2 * intercept > 0
            assert (seen == flipped).all() and (seen != expected).mean() > 0.05, "it is right now"
        else:
            assert (seen == 1 - expected).all(), "the two classes are not exchanged now"
PYTHON
