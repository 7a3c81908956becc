# SPDX-License-Identifier: MIT
"""PyTorch + diffusers as a competitor. A mode is words joined by '+':
eager (nothing), channels_last, compile (inductor, weights frozen for inference), autocast (bf16 where torch
thinks it safe, f32 weights), pure (weights and activations in bf16; the codebook search stays f32)."""
import torch
from diffusers import UNet2DModel, VQModel


def load(config, kind):
    name = "unet" if kind is UNet2DModel else "vqvae"
    return kind.from_pretrained(f"{config['model']}/{name}")


class Base:
    def __init__(self, config, inputs):
        torch.set_num_threads(config["threads"])
        torch.manual_seed(1)
        self.config, self.inputs, self.words = config, inputs, config["mode"].split("+")
        self.autocast, self.dtype = "autocast" in self.words, torch.float32
        self.data = {}

    def lay_out(self, module):
        if "channels_last" in self.words:
            module.to(memory_format=torch.channels_last)
        return module

    def tensors(self, batch):
        tensors = {key: torch.from_numpy(value) for key, value in self.inputs(batch).items()}
        for key in ("pixels", "latents", "noise"):
            if "channels_last" in self.words:
                tensors[key] = tensors[key].contiguous(memory_format=torch.channels_last)
        return tensors

    def compiled(self, function):
        if "compile" not in self.words:
            return function
        import torch._inductor.config as inductor
        inductor.freezing = not self.config["job"].startswith("train")
        return torch.compile(function, dynamic=False)


class Inference(Base):
    def __init__(self, config, inputs):
        super().__init__(config, inputs)
        job = config["job"]
        self.module = self.lay_out(load(config, UNet2DModel if job == "unet" else VQModel).eval())
        for parameter in self.module.parameters():
            parameter.requires_grad_(False)
        if "pure" in self.words:
            self.dtype = torch.bfloat16
            for name, child in self.module.named_children():
                if name != "quantize":
                    child.to(torch.bfloat16)
        module = self.module
        if job == "unet":
            # dtype of the model would follow its first parameter
            call = self.compiled(lambda x, t, labels: module(x, t, class_labels=labels).sample)
            self.call = lambda d: call(d["latents"].to(self.dtype), d["timesteps"], d["labels"])
        elif job == "encode":
            call = self.compiled(lambda x: module.quant_conv(module.encoder(x)))
            self.call = lambda d: call(d["pixels"].to(self.dtype))
        else:
            call = self.compiled(lambda z: module.decoder(module.post_quant_conv(z)))
            self.call = lambda d: call(self.quantized(d["latents"]).to(self.dtype))

    def quantized(self, latents):
        with torch.autocast("cpu", enabled=False):
            return self.module.quantize(latents)[0]

    def first(self, batch):
        self.data[batch] = self.tensors(batch)
        for _ in range(2 if "compile" in self.words else 1):
            result = self.run(batch)
        return result.float().contiguous().numpy()

    def run(self, batch):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            return self.call(self.data[batch])


class Training(Base):
    """AdamW, clipping to norm 1, as the trainer here has them."""

    def __init__(self, config, inputs):
        super().__init__(config, inputs)
        unet = config["job"] == "train_unet"
        self.module = self.lay_out(load(config, UNet2DModel if unet else VQModel).train())
        if "checkpointing" in self.words:
            self.module.enable_gradient_checkpointing()
        self.optimizer = torch.optim.AdamW(self.module.parameters(), lr=1e-4, fused=True)
        self.loss_of = self.compiled(self.unet_loss if unet else self.vq_loss)

    def unet_loss(self, d):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            predicted = self.module(d["latents"], d["timesteps"], class_labels=d["labels"]).sample
        return torch.nn.functional.mse_loss(predicted.float(), d["noise"])

    def vq_loss(self, d):
        vq = self.module
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            h = vq.quant_conv(vq.encoder(d["pixels"]))
        quantized, loss, _ = vq.quantize(h.float())
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            decoded = vq.decoder(vq.post_quant_conv(quantized))
        difference = decoded.float() - d["pixels"]
        return difference.abs().mean() + difference.square().mean() + loss

    def step(self, batch):
        loss = self.loss_of(self.data[batch])
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss, norm

    def first(self, batch):
        self.data[batch] = self.tensors(batch)
        loss, norm = self.step(batch)
        return {"loss": loss.item(), "grad_norm": norm.item()}

    def run(self, batch):
        self.step(batch)


def make(config, inputs):
    return (Training if config["job"].startswith("train") else Inference)(config, inputs)
