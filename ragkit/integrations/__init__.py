"""ragkit inside other people's frameworks: one thin module each, imported only when asked for.

    ragkit.integrations.langchain      a retriever and a tool         extra: langchain
    ragkit.integrations.llama_index    a retriever                    extra: llama-index
    ragkit.integrations.haystack       a component                    extra: haystack
    ragkit.integrations.openai         a tool's schema and handler    no extra: plain JSON values
    ragkit.integrations.anthropic      search_result blocks           no extra: plain JSON values

An extra is installed as ``pip install 'ragkit-cited[langchain]'``.
"""
