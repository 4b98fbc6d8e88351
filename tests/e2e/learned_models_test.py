"""What scikit-learn's users export, through a whole server: the runtime's own results."""

import itertools
import pathlib
import sys
import tempfile
import unittest
import warnings

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn import (
    cluster, datasets, decomposition, discriminant_analysis, ensemble, feature_selection,
    gaussian_process, linear_model, mixture, multiclass, multioutput, naive_bayes, neighbors,
    neural_network, pipeline, preprocessing, svm, tree)

from e2e.case import PROGRAMS

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "backend_suite"))

import backends  # noqa: E402  # pylint: disable=wrong-import-position
import cases  # noqa: E402  # pylint: disable=wrong-import-position

ROWS, KINDS = datasets.load_iris(return_X_y=True)
ROWS = ROWS.astype(np.float32)
NAMES = np.array(["setosa", "versicolor", "virginica"])[KINDS]
TARGETS = np.stack([ROWS[:, 0] * 2 + ROWS[:, 1], ROWS[:, 2]], axis=1)
FEW = {"n_estimators": 5, "random_state": 0}

CLASSIFIERS = [
    tree.DecisionTreeClassifier(random_state=0), tree.ExtraTreeClassifier(random_state=0),
    ensemble.RandomForestClassifier(**FEW), ensemble.ExtraTreesClassifier(**FEW),
    ensemble.GradientBoostingClassifier(**FEW), ensemble.AdaBoostClassifier(**FEW),
    ensemble.BaggingClassifier(**FEW),
    ensemble.VotingClassifier([("a", linear_model.LogisticRegression(max_iter=500)),
                               ("b", tree.DecisionTreeClassifier(random_state=0))],
                              flatten_transform=False),
    ensemble.StackingClassifier([("a", linear_model.LogisticRegression(max_iter=500)),
                                 ("b", tree.DecisionTreeClassifier(random_state=0))]),
    svm.SVC(probability=True, random_state=0), svm.SVC(kernel="poly", probability=True),
    svm.NuSVC(probability=True, random_state=0), svm.LinearSVC(random_state=0),
    linear_model.LogisticRegression(max_iter=500), linear_model.SGDClassifier(random_state=0),
    linear_model.RidgeClassifier(), linear_model.Perceptron(random_state=0),
    naive_bayes.GaussianNB(), naive_bayes.MultinomialNB(), naive_bayes.BernoulliNB(),
    neighbors.KNeighborsClassifier(), discriminant_analysis.LinearDiscriminantAnalysis(),
    discriminant_analysis.QuadraticDiscriminantAnalysis(),
    neural_network.MLPClassifier(hidden_layer_sizes=(8,), max_iter=50, random_state=0),
    multiclass.OneVsRestClassifier(linear_model.LogisticRegression(max_iter=500)),
    pipeline.make_pipeline(preprocessing.StandardScaler(), svm.SVC(probability=True)),
    pipeline.make_pipeline(preprocessing.MinMaxScaler(), decomposition.PCA(2),
                           ensemble.RandomForestClassifier(**FEW)),
]
REGRESSORS = [
    tree.DecisionTreeRegressor(random_state=0), ensemble.RandomForestRegressor(**FEW),
    ensemble.GradientBoostingRegressor(**FEW),
    ensemble.AdaBoostRegressor(**FEW), svm.SVR(), svm.NuSVR(), svm.LinearSVR(random_state=0),
    linear_model.LinearRegression(), linear_model.Ridge(), linear_model.Lasso(),
    linear_model.ElasticNet(), linear_model.HuberRegressor(), linear_model.PoissonRegressor(),
    neighbors.KNeighborsRegressor(), gaussian_process.GaussianProcessRegressor(),
    neural_network.MLPRegressor(hidden_layer_sizes=(8,), max_iter=50, random_state=0),
]
MANY_TARGETS = [
    linear_model.LinearRegression(), ensemble.RandomForestRegressor(**FEW),
    multioutput.MultiOutputRegressor(svm.SVR()),
]
TRANSFORMERS = [
    preprocessing.StandardScaler(), preprocessing.MinMaxScaler(), preprocessing.RobustScaler(),
    preprocessing.Normalizer(), preprocessing.Binarizer(), preprocessing.PolynomialFeatures(),
    preprocessing.KBinsDiscretizer(3, encode="ordinal", quantile_method="linear"),
    decomposition.PCA(2), decomposition.TruncatedSVD(2), cluster.KMeans(3, n_init=1),
    mixture.GaussianMixture(2, random_state=0), ensemble.IsolationForest(**FEW),
    feature_selection.SelectKBest(k=2),
]


def exported(estimator, targets):
    """The estimator, trained on the rows, as an ONNX file with all that its exporter adds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return to_onnx(estimator.fit(ROWS, targets), target_opset={"": 17, "ai.onnx.ml": 3},
                       initial_types=[("rows", FloatTensorType([None, 4]))]).SerializeToString()


def as_tensor(result):
    """What the runtime gave; of a ZipMap's maps, from class to score, the scores."""
    if isinstance(result, list):
        return np.array([list(scores.values()) for scores in result], np.float32)
    return result


class LearnedModels(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = backends.WholeServer(PROGRAMS)
        cls.folder = tempfile.TemporaryDirectory()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        cls.folder.cleanup()

    def check(self, estimator, targets):
        """The exported model gives through the server what the runtime gives by itself."""
        with self.subTest(f"{estimator} {targets.dtype}{targets.shape}"):
            path = pathlib.Path(self.folder.name) / "model.onnx"
            path.write_bytes(exported(estimator, targets))
            either = cases.runtime_results(str(path), {"rows": ROWS})
            self.server.load(path)
            got = self.server.run({"rows": ROWS})
            self.server.unload()
            agreed = [all(cases.agrees(ours, its, exactly=True)
                          for ours, its in zip(got, map(as_tensor, wanted), strict=True))
                      for wanted in either]
            self.assertTrue(any(agreed), f"{got}, not {either[0]}")

    def test_serves_classifiers_of_numbers_and_of_names(self):
        for estimator, labels in zip(CLASSIFIERS, itertools.cycle((KINDS, NAMES))):
            self.check(estimator, labels)

    def test_serves_regressors_of_one_target_and_of_many(self):
        for estimator in REGRESSORS:
            self.check(estimator, TARGETS[:, 0])
        for estimator in MANY_TARGETS:
            self.check(estimator, TARGETS)

    def test_serves_transformers(self):
        for estimator in TRANSFORMERS:
            self.check(estimator, KINDS)


if __name__ == "__main__":
    unittest.main()
