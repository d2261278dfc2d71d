# GPT-2 of the transformers library, small.
# corpus: requires transformers
import torch
from transformers import GPT2Config, GPT2LMHeadModel


def build():
    config = GPT2Config(vocab_size=96, n_positions=16, n_embd=48, n_layer=4, n_head=4, bos_token_id=0, eos_token_id=0)
    return GPT2LMHeadModel(config), {"input_ids": torch.randint(0, 96, (8, 16))}
