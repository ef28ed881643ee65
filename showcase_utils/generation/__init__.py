"""The text beside the photos: MMA encoder, GPT-2 decoder, CE, CCL, PCL, decoding (section 4.2)."""
