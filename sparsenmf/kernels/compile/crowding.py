"""Fewer threads for short parallel regions while other processes use the cores.

In a parallel region all threads wait for the last one. If another process has its core, that
thread waits for its turn, which takes milliseconds, while the others spin. On two cores with one
other busy process, an iteration that takes 2 ms on one thread took 15 to 40 ms on two. Whether
the threads of a region got their cores shows in its CPU time. Fewer threads are then tried once,
and kept for a while if they are faster. Results have the same bits on any number of threads.
"""

import time

MISSING = 0.3
"""If this many threads, on average over a region, did not run, they had to wait for a core."""

LONG = 0.05
"""Seconds. A longer region loses little by waiting for turns, and shares the cores fairly."""

GAIN = 0.7
"""Fewer threads are kept if they take at most this share of the time."""

PATIENCE = 2  # crowded regions in a row before fewer threads are tried

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds until all threads are tried again

MOST_KINDS = 256  # kinds of regions that are remembered


class Kind:
    """What is known of the regions of one kernel and size.

    Attributes
    ----------
    crowded : list of float
        Seconds of the latest crowded regions, in a row.
    fewer : int
        The number of threads to use or to try; 0: all of them.
    pause : float
        Seconds for which a decision holds.
    until : float
        When it ends; 0: with the next region, which tries fewer threads.
    """

    def __init__(self):
        self.crowded: list[float] = []
        self.fewer, self.pause, self.until = 0, FIRST_PAUSE, 0.0


class Crowding:
    """Chooses the number of threads of each region from the times of those before it.

    Parameters
    ----------
    wall, cpu : callable
        Return the time, and the CPU time of this process, in seconds.
    """

    def __init__(self, wall=time.perf_counter, cpu=time.process_time):
        self._wall, self._cpu = wall, cpu
        self._kinds: dict = {}

    def run(self, kind, n_threads, region):
        """Call ``region(n)`` with at most n_threads threads, and return its result.

        Parameters
        ----------
        kind : hashable
            Regions of one kind do about the same work.
        n_threads : int
        region : callable
        """
        known = self._kinds.get(kind)
        if known is None or not known.fewer or 0 < known.until <= self._wall():
            return self._run_all(kind, n_threads, region)
        start = self._wall()
        result = region(known.fewer)
        if not known.until:
            self._judge(known, self._wall() - start)
        return result

    def _run_all(self, kind, n_threads, region):
        """Run a region on all threads, and note whether they all got a core."""
        start, cpu_start = self._wall(), self._cpu()
        result = region(n_threads)
        seconds, cpu = self._wall() - start, self._cpu() - cpu_start
        # On Windows the CPU time has steps of 16 ms: without one, nothing is known.
        if not cpu or seconds > LONG or cpu >= (n_threads - MISSING) * seconds:
            self._kinds.pop(kind, None)
        else:
            self._note(kind, n_threads, seconds, cpu)
        return result

    def _note(self, kind, n_threads, seconds, cpu):
        """Remember a crowded region."""
        if len(self._kinds) >= MOST_KINDS:
            self._kinds.clear()
        known, now = self._kinds.setdefault(kind, Kind()), self._wall()
        if known.fewer:  # they were faster before: no need to try again
            known.pause = min(2 * known.pause, LONGEST_PAUSE)
            known.until = now + known.pause
        elif now >= known.until:
            known.crowded.append(seconds)
            if len(known.crowded) >= PATIENCE:
                known.fewer, known.until = max(1, min(n_threads - 1, int(cpu / seconds))), 0.0

    def _judge(self, known, seconds):
        """Keep fewer threads for a while if they were faster; else do not try again for a while."""
        # Another Python thread may have judged meanwhile, and emptied the list.
        if seconds > GAIN * min(known.crowded, default=seconds):
            known.fewer, known.pause = 0, LONGEST_PAUSE
        known.crowded, known.until = [], self._wall() + known.pause


crowding = Crowding()
