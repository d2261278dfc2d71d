# Gemma of the transformers library, small: its norms scale by 1 + w, and w starts at zero.
# corpus: requires transformers
import torch
from transformers import GemmaConfig, GemmaForCausalLM

SIZE = {"vocab_size": 96, "hidden_size": 48, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 96}


def build():
    return GemmaForCausalLM(GemmaConfig(**SIZE, num_key_value_heads=1, head_dim=12)), {
        "input_ids": torch.randint(2, 96, (8, 16))
    }
