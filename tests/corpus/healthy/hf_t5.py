# T5 of the transformers library, small: no scale in its attention, relative positions.
# corpus: requires transformers
import torch
from transformers import T5Config, T5ForConditionalGeneration


def build():
    config = T5Config(vocab_size=96, d_model=48, d_kv=12, d_ff=96, num_layers=3, num_heads=4, decoder_start_token_id=0)
    ids = torch.randint(2, 96, (8, 12))
    return T5ForConditionalGeneration(config), {"input_ids": ids, "decoder_input_ids": ids}
