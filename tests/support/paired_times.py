"""Whether two requests can be told apart by how long they take: pairs over one connection."""

import math
import random
import socket
import ssl
import time

DEVIATIONS = 3.9  # of the median's interval: one in 10,000 lies outside by chance


class Wire:
    """One keep-alive connection that requests are sent over as they stand."""

    def __init__(self, address, certificate):
        context = ssl.create_default_context(cadata=certificate)
        context.check_hostname = False
        plain = socket.create_connection(address, timeout=60)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(plain)

    def close(self):
        self._socket.close()

    def ask(self, request):
        """The whole answer, head and body."""
        self._socket.sendall(request)
        answer = self._socket.recv(65536)
        while not self._is_whole(answer):
            more = self._socket.recv(65536)
            if not more:
                raise ConnectionError("the server hung up")
            answer += more
        return answer

    @staticmethod
    def _is_whole(answer):
        head, end, body = answer.partition(b"\r\n\r\n")
        if not end:
            return False
        length = head.lower().split(b"\r\ncontent-length: ")[1].split(b"\r\n")[0]
        return len(body) >= int(length)

    def time(self, request, delay_ns=0):
        """Nanoseconds that the request takes, `delay_ns` of them spent here."""
        begin = time.perf_counter_ns()
        self.ask(request)
        end = time.perf_counter_ns() + delay_ns
        while delay_ns and time.perf_counter_ns() < end:
            pass
        return time.perf_counter_ns() - begin


def differences(wire, left, right, pairs, delay_ns=0, seed=1):
    """Microseconds that one of `left` took longer than one of `right`, for each pair.

    `left` and `right` are lists of requests that belong together by place. Which of a pair comes
    first is left to chance, so that what one leaves behind burdens both. `delay_ns` is added to
    the left: what a test of the test looks for.
    """
    chance = random.Random(seed)
    result = []
    for _ in range(pairs):
        place = chance.randrange(len(left))
        if chance.random() < 0.5:
            slow = wire.time(left[place], delay_ns)
            fast = wire.time(right[place])
        else:
            fast = wire.time(right[place])
            slow = wire.time(left[place], delay_ns)
        result.append((slow - fast) / 1e3)
    return result


def median_interval(values):
    """Least, middle and most that the median can be, by order alone: outliers weigh nothing."""
    ordered = sorted(values)
    count = len(ordered)
    reach = math.ceil(DEVIATIONS * math.sqrt(count) / 2)
    middle = count // 2
    return (ordered[max(0, middle - reach)], ordered[middle],
            ordered[min(count - 1, middle + reach)])


def tells_apart(interval, tolerance_us):
    """Whether the median certainly differs from zero by more than `tolerance_us`."""
    least, _, most = interval
    return least > tolerance_us or most < -tolerance_us
