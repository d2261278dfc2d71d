# BERT of the transformers library, small.
# corpus: requires transformers
import torch
from transformers import BertConfig, BertForMaskedLM

SIZE = {"vocab_size": 96, "hidden_size": 48, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 96}


def build():
    return BertForMaskedLM(BertConfig(**SIZE, max_position_embeddings=16)), {"input_ids": torch.randint(2, 96, (8, 16))}
