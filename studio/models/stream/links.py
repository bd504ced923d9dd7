"""How bytes travel from RAM to the device: at once on a CPU, on a stream of their own beside the computing on a GPU."""

import torch


class Link:
    """Copies host tensors into device buffers, in order. This one copies at once: for the CPU, and for shapes without memory.

    The caller says when a buffer is needed (`wait`) and when its last reader was started (`release`); between the two nothing is sent to it.
    spoils: rubbish (NaN as a number) is put into a buffer before what is sent arrives, so that whoever reads too early is found out.
    """

    def __init__(self, spoils: bool = False) -> None:
        self.num_bytes = self.num_copies = 0
        self.spoils = spoils

    def send(self, buffer: torch.Tensor, host: torch.Tensor) -> None:
        """Begin to copy `host` into the beginning of `buffer`."""
        self.num_bytes, self.num_copies = self.num_bytes + host.nbytes, self.num_copies + 1
        if self.spoils:
            buffer.fill_(255)
        buffer[: host.nbytes].copy_(host, non_blocking=True)

    def wait(self, buffer: torch.Tensor) -> None:
        """What is computed from here on sees what was sent to the buffer last."""

    def release(self, buffer: torch.Tensor) -> None:
        """What was computed up to here was the last that reads the buffer: it may be sent to again."""

    def synchronize(self) -> None:
        """Wait until nothing is under way."""


class StreamLink(Link):
    """A CUDA copy stream beside the computing one; the two wait for each other by events alone, never for the host."""

    def __init__(self, device: torch.device, spoils: bool = False) -> None:
        super().__init__(spoils)
        self.device, self.stream = device, torch.cuda.Stream(device)
        self.arrived: dict[int, torch.cuda.Event] = {}  # by the first address of a buffer
        self.read: dict[int, torch.cuda.Event] = {}

    def send(self, buffer: torch.Tensor, host: torch.Tensor) -> None:
        read = self.read.get(buffer.data_ptr())
        if read is None:  # new memory: what its former owner computed must be over
            self.stream.wait_stream(torch.cuda.current_stream(self.device))
        else:
            self.stream.wait_event(read)
        with torch.cuda.stream(self.stream):
            super().send(buffer, host)
            self.arrived.setdefault(buffer.data_ptr(), torch.cuda.Event()).record(self.stream)

    def wait(self, buffer: torch.Tensor) -> None:
        torch.cuda.current_stream(self.device).wait_event(self.arrived[buffer.data_ptr()])

    def release(self, buffer: torch.Tensor) -> None:
        self.read.setdefault(buffer.data_ptr(), torch.cuda.Event()).record(torch.cuda.current_stream(self.device))

    def synchronize(self) -> None:
        torch.cuda.synchronize(self.device)


def make_link(device: torch.device, spoils: bool = False) -> Link:
    return StreamLink(device, spoils) if device.type == "cuda" else Link(spoils)
