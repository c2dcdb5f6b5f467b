// A Java node, as JInterface makes one: registered by name, linked to by whoever dials it; asks rollcall:nodes/0 as a
// shell would when it is given a line. java -cp OtpErlang.jar Node.java NAME COOKIE ROLLCALL
import com.ericsson.otp.erlang.OtpErlangAtom;
import com.ericsson.otp.erlang.OtpErlangList;
import com.ericsson.otp.erlang.OtpErlangObject;
import com.ericsson.otp.erlang.OtpErlangTuple;
import com.ericsson.otp.erlang.OtpMbox;
import com.ericsson.otp.erlang.OtpNode;

public class Node {
  public static void main(String[] arguments) throws Exception {
    OtpNode node = new OtpNode(arguments[0], arguments[1]);
    OtpMbox box = node.createMbox();
    System.out.println("listening");
    while (System.in.read() >= 0) {
      OtpErlangObject[] call = {
        new OtpErlangAtom("call"), new OtpErlangAtom("rollcall"), new OtpErlangAtom("nodes"), new OtpErlangList(),
        new OtpErlangAtom("user")
      };
      OtpErlangObject[] asked = {box.self(), new OtpErlangTuple(call)};
      box.send("rex", arguments[2], new OtpErlangTuple(asked));
      System.out.println("answer " + box.receive(30000));
    }
  }
}
