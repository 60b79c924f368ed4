"""What was made last stays at hand, up to so many bytes."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Shelf(Generic[Value]):
    """A store bounded by bytes that forgets what was unused longest; the newest thing always fits.

    Things are made one at a time, and never twice: who asks for what is being made waits for it. What is
    there already is had without waiting.
    """

    def __init__(self, most: float) -> None:
        self.most, self.bytes = most, 0
        self.making = threading.RLock()
        self._items: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> Value | None:
        with self._lock:
            if key not in self._items:
                return None
            self._items.move_to_end(key)
            return self._items[key][0]

    def put(self, key: Hashable, value: Value, size: int) -> None:
        """Keep `value`, which takes `size` bytes."""
        with self._lock:
            self.bytes += size - self._items.pop(key, (None, 0))[1]
            self._items[key] = value, size
            while self.bytes > self.most and len(self._items) > 1:
                self.bytes -= self._items.popitem(last=False)[1][1]

    def take(self, key: Hashable, make: Callable[[], Value], size: Callable[[Value], int]) -> Value:
        """The thing of that key, made now if it is not there."""
        if (found := self.find(key)) is not None:
            return found
        with self.making:
            if (found := self.find(key)) is None:
                found = make()
                self.put(key, found, size(found))
        return found

    def values(self) -> list[Value]:
        """Everything there is, the longest unused first."""
        with self._lock:
            return [value for value, _ in self._items.values()]
