"""Cut a matrix into portions for a store."""


def cut(X, step):
    return (X[start : start + step] for start in range(0, X.shape[0], step))
