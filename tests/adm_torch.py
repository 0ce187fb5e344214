"""An ADM network of any size from the blocks of deepinv, which carries its names.

Blocks and forward pass are deepinv's; only their assembly at a reduced width is ours.
"""

import torch
from deepinv.models import diffunet


class UNet(diffunet.DiffUNet):
    """`DiffUNet` of a configuration of ours."""

    def __init__(self, config):
        torch.nn.Module.__init__(self)
        self.config, self.num_classes = config, config.n_classes or None
        self.model_channels, self.dtype = config.model_channels, torch.float32
        embed = 4 * config.model_channels
        self.time_embed = torch.nn.Sequential(
            torch.nn.Linear(config.model_channels, embed),
            torch.nn.SiLU(),
            torch.nn.Linear(embed, embed),
        )
        if config.n_classes:
            self.label_emb = torch.nn.Embedding(config.n_classes, embed)
        widths = config.widths
        stem = torch.nn.Conv2d(config.in_channels, widths[0], 3, padding=1)
        blocks, skips, width = [[stem]], [widths[0]], widths[0]
        for level, n_out in enumerate(widths):
            for _ in range(config.n_res_blocks):
                blocks.append([self.residual(width, n_out), *self.attention(level)])
                width = n_out
                skips.append(width)
            if level < len(widths) - 1:
                blocks.append([self.resample(width, "down")])
                skips.append(width)
        self.input_blocks = self.listed(blocks)
        middle = [self.residual(width, width), self.heads(width)]
        middle.append(self.residual(width, width))
        self.middle_block = diffunet.TimestepEmbedSequential(*middle)
        blocks = []
        for level in reversed(range(len(widths))):
            for i in range(config.n_res_blocks + 1):
                block = [self.residual(width + skips.pop(), widths[level])]
                block += self.attention(level)
                width = widths[level]
                if level and i == config.n_res_blocks:
                    block.append(self.resample(width, "up"))
                blocks.append(block)
        self.output_blocks = self.listed(blocks)
        self.out = torch.nn.Sequential(
            diffunet.normalization(width),
            torch.nn.SiLU(),
            torch.nn.Conv2d(width, config.out_channels, 3, padding=1),
        )

    def listed(self, blocks):
        sequences = (diffunet.TimestepEmbedSequential(*block) for block in blocks)
        return torch.nn.ModuleList(sequences)

    def residual(self, n_in, n_out, **resample):
        return diffunet.ResBlock(
            n_in,
            4 * self.config.model_channels,
            0.0,
            out_channels=n_out,
            use_scale_shift_norm=self.config.scale_shift_norm,
            **resample,
        )

    def heads(self, width):
        n_heads = self.config.n_heads
        channels = width // n_heads if n_heads else self.config.n_head_channels
        channels = min(channels, width)
        order = self.config.new_attention_order
        return diffunet.AttentionBlock(
            width, num_head_channels=channels, use_new_attention_order=order
        )

    def attention(self, level):
        return [self.heads(self.config.widths[level])] * self.config.attends(level)

    def resample(self, width, direction):
        if self.config.resblock_updown:
            return self.residual(width, width, **{direction: True})
        kind = diffunet.Downsample if direction == "down" else diffunet.Upsample
        return kind(width, True)

    def forward(self, x, t, label=None):
        return self.forward_diffusion(x, t, label)
