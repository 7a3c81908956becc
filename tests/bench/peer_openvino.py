# SPDX-License-Identifier: MIT
"""OpenVINO as a competitor in inference: converted from the torch module once, kept in the cache folder."""
import os

import numpy
import openvino

# The conversion needs torch and gigabytes; it happens in a process of its own, so that it counts for nobody.
CONVERT = """
import sys, torch, openvino
from diffusers import UNet2DModel, VQModel
model, job, target, channels, side = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
class Unet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.unet = UNet2DModel.from_pretrained(model + "/unet").eval()
    def forward(self, x, t, labels):
        return self.unet(x, t, class_labels=labels).sample
class Part(torch.nn.Module):
    def __init__(self):
        super().__init__()
        vq = VQModel.from_pretrained(model + "/vqvae").eval()
        self.parts = torch.nn.Sequential(vq.encoder, vq.quant_conv) if job == "encode" else torch.nn.Sequential(
            vq.post_quant_conv, vq.decoder)
    def forward(self, x):
        return self.parts(x)
with torch.no_grad():
    if job == "unet":
        example = (torch.randn(1, channels, side, side), torch.tensor([500]), torch.tensor([0]))
        converted = openvino.convert_model(Unet(), example_input=example)
    else:
        converted = openvino.convert_model(Part(), example_input=torch.randn(1, channels, side, side))
openvino.save_model(converted, target, compress_to_fp16=False)
"""


class Inference:
    def __init__(self, config, inputs):
        self.config, self.inputs, self.requests = config, inputs, {}
        self.path = os.path.join(config["cache"], f"openvino-{config['preset']}-{config['job']}.xml")
        if not os.path.exists(self.path):
            self.convert()
        self.core = openvino.Core()
        if config["job"] == "decode":
            import safetensors.numpy
            weights = safetensors.numpy.load_file(config["model"] + "/vqvae/diffusion_pytorch_model.safetensors")
            self.book = weights["quantize.embedding.weight"]

    def convert(self):
        import subprocess
        import sys
        shape = self.inputs(1)["pixels" if self.config["job"] == "encode" else "latents"].shape
        subprocess.run([sys.executable, "-c", CONVERT, self.config["model"], self.config["job"],
                        self.path + ".part.xml", str(shape[1]), str(shape[2])], check=True)
        os.rename(self.path + ".part.bin", self.path[:-4] + ".bin")
        os.rename(self.path + ".part.xml", self.path)

    def first(self, batch):
        data = self.inputs(batch)
        job = self.config["job"]
        arrays = ([data["latents"], data["timesteps"], data["labels"]] if job == "unet"
                  else [data["pixels"]] if job == "encode" else [self.quantized(data["latents"])])
        model = self.core.read_model(self.path)
        model.reshape({model.inputs[i].any_name: list(array.shape) for i, array in enumerate(arrays)})
        compiled = self.core.compile_model(model, "CPU", {
            "INFERENCE_PRECISION_HINT": self.config["precision"], "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": self.config["threads"]})
        self.requests[batch] = (compiled.create_infer_request(), arrays, data)
        return self.run(batch)

    def quantized(self, latents):
        rows = numpy.moveaxis(latents, 1, -1).reshape(-1, latents.shape[1])
        book = self.book
        codes = numpy.argmin((book * book).sum(1) - 2 * rows @ book.T, axis=1)
        shape = (latents.shape[0], *latents.shape[2:], latents.shape[1])
        return numpy.ascontiguousarray(numpy.moveaxis(book[codes].reshape(shape), -1, 1))

    def run(self, batch):
        request, arrays, data = self.requests[batch]
        if self.config["job"] == "decode":
            arrays = [self.quantized(data["latents"])]
        return numpy.array(next(iter(request.infer(arrays).values())), numpy.float32)


def make(config, inputs):
    return Inference(config, inputs)
