"""The contrastive losses of the paper as loops over samples, to hold the fast ones against."""

import math

import torch


def cross_modal_contrastive(visual, target, swapped, temperature, has_swapped=None):
    total = 0.0
    for i in range(len(visual)):
        positive = math.e ** (torch.cosine_similarity(visual[i], target[i], dim=0) / temperature)
        denominator = positive
        for j in range(len(target)):
            if j != i:
                denominator = denominator + math.e ** (
                    torch.cosine_similarity(visual[i], target[j], dim=0) / temperature
                )
        if has_swapped is None or has_swapped[i]:
            denominator = denominator + math.e ** (torch.cosine_similarity(visual[i], swapped[i], dim=0) / temperature)
        total = total - torch.log(positive / denominator)
    return total / len(visual)


def personalized_contrastive(history, target, profile, temperature, alpha):
    total = 0.0
    for i in range(len(history)):
        positive = math.e ** (torch.cosine_similarity(history[i], target[i], dim=0) / temperature)
        denominator = positive
        for j in range(len(target)):
            if j != i:
                weight = alpha ** (1 - torch.cosine_similarity(profile[i], profile[j], dim=0))
                denominator = denominator + weight * math.e ** (
                    torch.cosine_similarity(history[i], target[j], dim=0) / temperature
                )
        total = total - torch.log(positive / denominator)
    return total / len(history)
