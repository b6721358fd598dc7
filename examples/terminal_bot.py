"""Chat in the terminal, one question a line: python examples/terminal_bot.py [INDEX]."""

import sys

from ragkit import Conversation, QuestionError


def main() -> None:
    conversation = Conversation(sys.argv[1] if len(sys.argv) > 1 else None)
    for line in sys.stdin:
        try:
            answer = conversation.ask(line, k=1)
        except QuestionError as error:
            print(error)
            continue
        [passage] = answer.passages
        if answer.answered:
            print(answer.text, f"\n    {passage.citation.label}")
        else:
            print("The article does not say. The nearest passage is in", passage.citation.label)


if __name__ == "__main__":
    main()
