"""A LangChain chain over ragkit's passages: python examples/langchain_bot.py MODEL QUESTION…

The model is any that ChatOpenAI reaches: set OPENAI_API_KEY, or OPENAI_BASE_URL for a local server.
"""

import sys

from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnablePassthrough
from langchain_openai import ChatOpenAI

from ragkit import check_quotes
from ragkit.integrations.langchain import RagkitRetriever

PROMPT = ChatPromptTemplate.from_template(
    "Answer from these passages alone, and quote them in quotation marks.\n\n"
    "{context}\n\n{question}"
)


def chain(model: BaseChatModel) -> Runnable[str, str]:
    context = RagkitRetriever(k=3, only_answered=True) | numbered
    asked = {"context": context, "question": RunnablePassthrough()}
    return asked | PROMPT | model | StrOutputParser()


def numbered(documents: list[Document]) -> str:
    return "\n".join(f"[{n}] {d.page_content}" for n, d in enumerate(documents, start=1))


def main() -> None:
    name, *words = sys.argv[1:]
    said = ""
    for piece in chain(ChatOpenAI(model=name)).stream(" ".join(words)):
        print(piece, end="", flush=True)
        said += piece
    print(f"\n{check_quotes(said)}")


if __name__ == "__main__":
    main()
