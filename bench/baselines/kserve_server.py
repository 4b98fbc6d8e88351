"""KServe's model server, an Open Inference Protocol server from the package index, over TLS.

  kserve_server.py MODEL CERTIFICATE KEY

serves MODEL as `m` with tensors in binary, prints its port and ends with its standard input. Access
logs and latency logs are off, and there is no gRPC listener.
"""

import logging
import os
import socket
import sys
import threading
import time

import onnxruntime
from kserve import InferOutput, InferResponse, Model, ModelServer


class OnnxModel(Model):
    def __init__(self, path):
        super().__init__("m")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(path, options,
                                                     providers=["CPUExecutionProvider"])
        self._names = [output.name for output in self._session.get_outputs()]
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):
        feed = {each.name: each.as_numpy() for each in payload.inputs}
        outputs = []
        for name, array in zip(self._names, self._session.run(None, feed)):
            output = InferOutput(name, list(array.shape), "FP32")
            output.set_data_from_numpy(array, binary_data=True)
            outputs.append(output)
        return InferResponse(payload.id, self.name, outputs,
                             use_binary_outputs=payload.use_binary_outputs)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def watch(port):
    """Says the port once the server listens, and ends the process with its standard input."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.05)
    print(port, flush=True)
    sys.stdin.read()
    os._exit(0)


def main():
    path, certificate, key = sys.argv[1:]
    model, port = OnnxModel(path), free_port()
    logging.disable(logging.WARNING)
    threading.Thread(target=watch, args=(port,), daemon=True).start()
    ModelServer(http_port=port, workers=1, enable_grpc=False, enable_latency_logging=False,
                ssl_certfile=certificate, ssl_keyfile=key, timeout_keep_alive=3600).start([model])


if __name__ == "__main__":
    main()
