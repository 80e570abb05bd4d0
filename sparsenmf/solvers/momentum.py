"""How far the alternation extrapolates: the schedule of beta (Ang & Gillis 2019, section 3.2)."""

FIRST_BETA, GROWTH, SHRINKAGE, CAP_GROWTH = 0.5, 1.1, 0.75, 1.05


class Momentum:
    """A beta that grows while the objective falls, up to a cap that each rejection lowers."""

    def __init__(self, cap):
        self.beta, self.cap = min(FIRST_BETA, cap), cap

    def grow(self):
        self.beta = min(self.cap, GROWTH * self.beta)
        self.cap = min(1.0, CAP_GROWTH * self.cap)

    def shrink(self):
        self.cap, self.beta = self.beta, SHRINKAGE * self.beta
