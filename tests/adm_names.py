"""Names and shapes of an ADM checkpoint, enumerated again from its structure."""


def tensors(config) -> dict[str, tuple[int, ...]]:
    """Return name -> shape as `guided_diffusion.unet.UNetModel` registers them."""
    found = {}
    embed = 4 * config.model_channels
    widths = [int(m * config.model_channels) for m in config.channel_mult]
    attended = {config.image_size // r for r in config.attention_resolutions}

    def affine(name, *shape):
        found[f"{name}.weight"], found[f"{name}.bias"] = shape, shape[:1]

    def residual(name, n_in, n_out):
        affine(f"{name}.in_layers.0", n_in)
        affine(f"{name}.in_layers.2", n_out, n_in, 3, 3)
        affine(f"{name}.emb_layers.1", n_out * (1 + config.scale_shift_norm), embed)
        affine(f"{name}.out_layers.0", n_out)
        affine(f"{name}.out_layers.3", n_out, n_out, 3, 3)
        if n_in != n_out:
            affine(f"{name}.skip_connection", n_out, n_in, 1, 1)

    def attention(name, width):
        affine(f"{name}.norm", width)
        affine(f"{name}.qkv", 3 * width, width, 1)
        affine(f"{name}.proj_out", width, width, 1)

    def resample(name, suffix, width):
        if config.resblock_updown:
            residual(name, width, width)
        else:
            affine(f"{name}.{suffix}", width, width, 3, 3)

    affine("time_embed.0", embed, config.model_channels)
    affine("time_embed.2", embed, embed)
    if config.n_classes:
        found["label_emb.weight"] = (config.n_classes, embed)
    affine("input_blocks.0.0", widths[0], config.in_channels, 3, 3)
    skips, block, width = [widths[0]], 1, widths[0]
    for level, n_out in enumerate(widths):
        for _ in range(config.n_res_blocks):
            residual(f"input_blocks.{block}.0", width, n_out)
            width = n_out
            if 2**level in attended:
                attention(f"input_blocks.{block}.1", width)
            skips.append(width)
            block += 1
        if level < len(widths) - 1:
            resample(f"input_blocks.{block}.0", "op", width)
            skips.append(width)
            block += 1
    residual("middle_block.0", width, width)
    attention("middle_block.1", width)
    residual("middle_block.2", width, width)
    block = 0
    for level in reversed(range(len(widths))):
        for i in range(config.n_res_blocks + 1):
            residual(f"output_blocks.{block}.0", width + skips.pop(), widths[level])
            width, child = widths[level], 1
            if 2**level in attended:
                attention(f"output_blocks.{block}.1", width)
                child = 2
            if level and i == config.n_res_blocks:
                resample(f"output_blocks.{block}.{child}", "conv", width)
            block += 1
    affine("out.0", width)
    affine("out.2", config.out_channels, width, 3, 3)
    return found
